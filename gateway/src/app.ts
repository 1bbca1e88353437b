/** The express application: who may ask, what is asked for, who answers. */
import { join } from 'node:path';
import compression from 'compression';
import express, { type Express } from 'express';
import type { Logger } from 'pino';
import { candidates } from './http/candidates.js';
import { catalogue } from './http/catalogue.js';
import { dashboard } from './http/dashboard.js';
import { docs } from './http/docs.js';
import { notFound, problemHandler } from './http/errors.js';
import { type AllowList, cors, hostGuard, tokenGuard } from './http/guard.js';
import { health } from './http/health.js';
import type { RateLimit } from './http/limits.js';
import { requestLog } from './http/log.js';
import { type Metrics, metricsPage, timing } from './http/metrics.js';
import { models } from './http/models.js';
import { phases } from './http/phases.js';
import { pipelines } from './http/pipelines.js';
import { runs } from './http/runs.js';
import { security } from './http/security.js';
import type { Services } from './http/services.js';
import { shapeLimit } from './http/shape.js';
import type { Specification } from './http/specification.js';
import { system } from './http/system.js';
import { tracing } from './http/trace.js';
import { downloads } from './http/transfer.js';
import { validation } from './http/validation.js';
import { root } from './root.js';

const JSON_BYTES = 1_048_576;
/** The deepest body of the specification, a pipeline's, has four. */
const JSON_LEVELS = 16;
/** The longest lists of the specification, all in one body, are some hundred items. */
const JSON_VALUES = 4096;

export type AppSettings = {
  services: Services;
  specification: Specification;
  metrics: Metrics;
  log: Logger;
  allowed: AllowList;
  isToken: (presented: string | undefined) => boolean;
  rateLimit: RateLimit;
  trustProxy: boolean;
  /** Where the built dashboard lies. */
  dashboardDirectory?: string;
};

export function createApp(settings: AppSettings): Express {
  const { services, specification, metrics, log, allowed, isToken } = settings;
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', settings.trustProxy ? 1 : false);
  app.set('query parser', 'simple');

  app.use(tracing(), requestLog(log), timing(metrics));
  app.use(hostGuard(allowed), cors(allowed), security());
  app.use(compression());
  app.use(health(services));
  app.use(docs(), ...settings.rateLimit.handlers);
  app.use(downloads(services));

  // From here on to the dashboard everything needs the token, also what does not exist.
  app.use(['/api', '/metrics'], tokenGuard(isToken));
  app.use(
    ['/api', '/metrics'],
    express.json({ limit: JSON_BYTES, strict: false }),
    shapeLimit({ levels: JSON_LEVELS, values: JSON_VALUES }),
  );
  app.use(['/api', '/metrics'], ...validation(specification));
  for (const resource of [phases, pipelines, runs, candidates, models, catalogue, system]) {
    app.use(resource(services));
  }
  app.get('/api/openapi.json', (_request, response) => {
    response.json(specification);
  });
  app.get('/metrics', metricsPage(metrics));

  app.use(dashboard(settings.dashboardDirectory ?? join(root, 'dashboard/dist')));
  app.use(notFound());
  app.use(problemHandler(specification));
  return app;
}
