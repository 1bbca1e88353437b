/** The express application: who may ask, what is asked for, who answers. */
import { join } from 'node:path';
import compression from 'compression';
import express, { type Express } from 'express';
import type { Logger } from 'pino';
import type { AllowList } from './edge/allow-list.js';
import { YAML } from './edge/media-types.js';
import { type Metrics, metricsPage, timing } from './edge/metrics.js';
import type { RateLimit } from './edge/rate-limit.js';
import type { Specification } from './edge/specification.js';
import { shapeLimit } from './middleware/body-shape.js';
import { notFound, problemHandler } from './middleware/errors.js';
import { cors, hostGuard, tokenGuard } from './middleware/guard.js';
import { requestLog } from './middleware/request-log.js';
import { security } from './middleware/security.js';
import { tracing } from './middleware/trace.js';
import { validation } from './middleware/validation.js';
import { root } from './root.js';
import { candidates } from './routes/candidates.js';
import { dashboard } from './routes/dashboard.js';
import { docs } from './routes/docs.js';
import { health } from './routes/health.js';
import { imports } from './routes/imports.js';
import { models } from './routes/models.js';
import { phases } from './routes/phases.js';
import { pipelines } from './routes/pipelines.js';
import { referenceData } from './routes/reference-data.js';
import { runs } from './routes/runs.js';
import type { Services } from './routes/services.js';
import { system } from './routes/system.js';
import { downloads } from './routes/transfer.js';

const JSON_BYTES = 1_048_576;
const YAML_BYTES = 262_144;
/** The deepest body of the specification, a pipeline's, has four. */
const JSON_LEVELS = 16;
/** The longest lists of the specification, all in one body, have some hundred items. */
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

  // From here to the dashboard every path needs the token, also one that does not exist.
  app.use(['/api', '/metrics'], tokenGuard(isToken));
  app.use(
    ['/api', '/metrics'],
    express.json({ limit: JSON_BYTES, strict: false }),
    express.text({ type: YAML, limit: YAML_BYTES }),
    shapeLimit({ levels: JSON_LEVELS, values: JSON_VALUES }),
  );
  app.use(['/api', '/metrics'], ...validation(specification));
  for (const resource of [phases, pipelines, runs, candidates, models, imports, referenceData, system]) {
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
