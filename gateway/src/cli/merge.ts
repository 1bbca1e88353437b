/** `forge merge`: a merge configuration of mergekit, as it is, becomes a registered model. */
import { randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import type { MergeConfig } from '../../../openapi/backend.js';
import { UsageError } from './arguments.js';
import { configurationOf, wholeField } from './configuration.js';
import type { Api, S } from './contract.js';
import { bytes, count, seconds } from './format.js';
import type { Gateway } from './gateway.js';
import { checksLine } from './text.js';
import { watch } from './watch.js';

export type MergeOrder = {
  config: MergeConfig;
  /** Say what it would come to, and start nothing. */
  forecast: boolean;
  idempotencyKey: string | undefined;
  json: boolean;
  url: string | undefined;
  token: string | undefined;
};

export type Merged = {
  ok: boolean;
  run: Pick<S['RunView'], 'id' | 'status' | 'failure'>;
  report: S['MergeReport'];
  verification: S['Verification'] | null;
};

export const MERGE_USAGE =
  'npm run forge -- merge CONFIG.YML [--name NAME] [--seed N] [--max-shard-size BYTES] [--forecast] [--idempotency-key KEY] [--url URL] [--token TOKEN] [--json]';

/** @param cwd where a relative path starts */
export function mergeOrder(argv: string[], cwd: string): MergeOrder {
  const { values, positionals } = parsed(argv);
  const { name } = values;
  return {
    config: {
      configuration: configurationOf(positionals, cwd, MERGE_USAGE),
      ...(name === undefined ? {} : { name }),
      ...wholeField('seed', values.seed),
      ...wholeField('max_shard_size', values['max-shard-size']),
    },
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
    name: text,
    seed: text,
    'max-shard-size': text,
    forecast: flag,
    'idempotency-key': text,
    url: text,
    token: text,
    json: flag,
  } as const;
  try {
    return parseArgs({ args: argv, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}; ${MERGE_USAGE}`);
  }
}

export function forecastMerge(api: Api, { config }: MergeOrder): Promise<S['MergeForecast']> {
  return api.post('/api/v1/merges/forecast', { body: config });
}

/** @returns null where the person has left. */
export async function runMerge(
  api: Api,
  gateway: Gateway,
  { config, idempotencyKey }: MergeOrder,
): Promise<Merged | null> {
  const key = idempotencyKey ?? randomUUID();
  const run = await api.post('/api/v1/merges', { body: config, headers: { 'Idempotency-Key': key } });
  const again = `the same command with --idempotency-key ${key}`;
  return watch(api, gateway, [run.id], ([last]) => proved(api, last ?? run), again);
}

async function proved(api: Api, { id, status, failure }: Merged['run']): Promise<Merged> {
  const report = await api.get('/api/v1/runs/{run_id}/report', { path: { run_id: id } });
  if (report.kind !== 'merge') throw new Error(`run ${id} is of kind ${report.kind}`);
  const verification =
    report.model_id === null
      ? null
      : await api.post('/api/v1/models/{model_id}/verify', {
          path: { model_id: report.model_id },
          body: {},
          timeout: 0,
        });
  return {
    ok: status === 'succeeded' && verification?.ok === true,
    run: { id, status, failure },
    report,
    verification,
  };
}

export function forecastText({ plan, ...found }: S['MergeForecast']): string {
  return [
    `${plan.name}: ${count(found.parameters)} parameters, ${bytes(found.bytes)} in ${found.files} ${found.files === 1 ? 'file' : 'files'}`,
    `reads ${bytes(found.read_bytes)}`,
    `needs ${bytes(found.resources.disk_needed)} of disk, ${bytes(found.resources.memory_needed)} of memory`,
    ...(found.seconds === null ? [] : [`about ${seconds(found.seconds)}`]),
  ].join('; ');
}

export function mergedText({ run, report, verification }: Merged): string {
  if (report.model_id === null || verification === null)
    return `the merge is ${run.status}${run.failure ? `: ${run.failure.message}` : ''}`;
  return [
    `${report.model_id}: ${count(report.parameters ?? 0)} parameters, ${bytes(report.bytes ?? 0)}, digest ${report.digest}`,
    `  ${checksLine('model', verification)}`,
  ].join('\n');
}
