/** `forge evolve`: a configuration of mergekit-evolve, as it is, breeds registered models. */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { EvoMergeConfig } from '../../../openapi/backend.js';
import { UsageError } from './arguments.js';
import { configurationOf, wholeField, wholeNumber } from './configuration.js';
import type { Api, S } from './contract.js';
import { bytes, count, seconds } from './format.js';
import type { Gateway } from './gateway.js';
import { makeReport, type Report } from './report.js';
import { checksLine } from './text.js';
import { watch } from './watch.js';

export type EvolveOrder = {
  configuration: string;
  /** What the configuration has no words for. */
  settings: Partial<EvoMergeConfig>;
  /** Candidates to measure, as mergekit-evolve counts. */
  evaluations: number | undefined;
  /** Say what it would come to, and start nothing. */
  forecast: boolean;
  idempotencyKey: string | undefined;
  json: boolean;
  url: string | undefined;
  token: string | undefined;
};

export const EVOLVE_USAGE =
  'npm run forge -- evolve CONFIG.YML [--max-fevals N] [--population N] [--seed N] [--eval-problems N] [--heldout-problems N] [--forecast] [--idempotency-key KEY] [--url URL] [--token TOKEN] [--json]';

/** @param cwd where a relative path starts */
export function evolveOrder(argv: string[], cwd: string): EvolveOrder {
  const { values, positionals } = parsed(argv);
  return {
    configuration: configurationOf(positionals, cwd, EVOLVE_USAGE),
    settings: {
      ...wholeField('population', values.population),
      ...wholeField('seed', values.seed),
      ...wholeField('eval_problems', values['eval-problems']),
      ...wholeField('heldout_problems', values['heldout-problems']),
    },
    evaluations: wholeNumber('max-fevals', values['max-fevals']),
    forecast: values.forecast ?? false,
    idempotencyKey: values['idempotency-key'],
    json: values.json ?? false,
    url: values.url,
    token: values.token,
  };
}

function parsed(argv: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    'max-fevals': text,
    population: text,
    seed: text,
    'eval-problems': text,
    'heldout-problems': text,
    forecast: flag,
    'idempotency-key': text,
    url: text,
    token: text,
    json: flag,
  } as const;
  try {
    return parseArgs({ args: argv, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}; ${EVOLVE_USAGE}`);
  }
}

/** What the backend makes of the configuration, with what the command says beside it. */
export async function evolveConfig(api: Api, order: EvolveOrder): Promise<EvoMergeConfig> {
  const { configuration, settings, evaluations } = order;
  const read = await api.post('/api/v1/evomerge/configuration', { body: { configuration } });
  const config = { ...read, ...settings };
  // The backend has filled it in.
  if (evaluations === undefined || config.population === undefined) return config;
  return { ...config, generations: Math.max(1, Math.ceil(evaluations / config.population)) };
}

export function forecastEvolve(api: Api, config: EvoMergeConfig): Promise<S['EvoMergeForecast']> {
  return api.post('/api/v1/evomerge/forecast', { body: config });
}

/** @returns null where the person has left. */
export async function runEvolve(
  api: Api,
  gateway: Gateway,
  config: EvoMergeConfig,
  { idempotencyKey }: EvolveOrder,
): Promise<Report | null> {
  const started = performance.now();
  const key = idempotencyKey ?? randomUUID();
  const run = await api.post('/api/v1/evomerge/runs', { body: config, headers: { 'Idempotency-Key': key } });
  const again = `the same command with --idempotency-key ${key}`;
  return watch(
    api,
    gateway,
    [run.id],
    (runs, view) =>
      makeReport(api, null, runs, { proofs: 0, started }, (verification, done, total) => {
        view.proof(done, total);
        if (!process.stderr.isTTY)
          view.say(`proof ${done}/${total}  ${checksLine(verification.subject, verification)}`);
      }),
    again,
  );
}

export function forecastText({ candidates, resources, seconds: time }: S['EvoMergeForecast']): string {
  return [
    `${count(candidates)} candidates`,
    `needs ${bytes(resources.disk_needed)} of disk, ${bytes(resources.memory_needed)} of memory`,
    ...(time === null ? [] : [`about ${seconds(time)}`]),
  ].join('; ');
}
