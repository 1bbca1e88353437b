import { randomUUID } from 'node:crypto';
import { dirname } from 'node:path';
import { createClient, ProblemError } from '../../../openapi/client.js';
import type { paths } from '../../../openapi/gateway.js';
import { type Options, type PlainConfig, parseArguments, UsageError } from './arguments.js';
import type { Api, Run, S } from './contract.js';
import {
  type EvolveOrder,
  evolveConfig,
  forecastText as evolveForecastText,
  evolveOrder,
  forecastEvolve,
  runEvolve,
} from './evolve.js';
import { flagsOf } from './flags.js';
import { bytes, count, seconds } from './format.js';
import { findGateway, type Gateway } from './gateway.js';
import { helpText } from './help.js';
import { type ImportOrder, importOrder, runImport } from './import.js';
import {
  forecastMerge,
  type MergeOrder,
  mergedText,
  forecastText as mergeForecastText,
  mergeOrder,
  runMerge,
} from './merge.js';
import { problemText } from './problem.js';
import type { View } from './progress.js';
import { makeReport } from './report.js';
import { loadForms } from './schema.js';
import { checksLine, reportText } from './text.js';
import { watch } from './watch.js';

const SUCCESS = 0;
const FAILURE = 1;
const USAGE = 2;
const CANCELLED = 130;
const WIDTH = 100;

/** npm runs scripts from the checkout; INIT_CWD is where the person stood. */
const callerDirectory = process.env.INIT_CWD ?? process.cwd();

async function main(argv: string[]): Promise<number> {
  if (argv[0] === 'import') return await bring(importOrder(argv.slice(1), callerDirectory));
  if (argv[0] === 'evolve') return await evolve(evolveOrder(argv.slice(1), callerDirectory));
  if (argv[0] === 'merge') return await merge(mergeOrder(argv.slice(1), callerDirectory));
  const flags = flagsOf(loadForms());
  const { options, config } = parseArguments(argv, flags, callerDirectory);
  if (options.help) {
    print(helpText(flags, process.stdout.columns ?? WIDTH));
    return SUCCESS;
  }
  const folders = foldersOf(config);
  const gateway = await findGateway({ ...options, folders }, process.env, (line) =>
    process.stderr.write(`${line}\n`),
  );
  try {
    return await forge(gateway, options, config);
  } finally {
    await gateway.stop();
  }
}

async function bring(order: ImportOrder): Promise<number> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const gateway = await findGateway({ ...order, folders: [] }, process.env, say);
  try {
    const api: Api = createClient<paths>({ baseUrl: gateway.url, token: gateway.token });
    const ended = await runImport(api, order, say);
    print(order.json ? JSON.stringify(ended) : (ended.model_id ?? ended.status));
    return ended.status === 'succeeded' ? SUCCESS : FAILURE;
  } finally {
    await gateway.stop();
  }
}

async function merge(order: MergeOrder): Promise<number> {
  const gateway = await findGateway({ ...order, folders: [] }, process.env, (line) =>
    process.stderr.write(`${line}\n`),
  );
  try {
    const api: Api = createClient<paths>({ baseUrl: gateway.url, token: gateway.token });
    const forecast = await forecastMerge(api, order);
    if (order.forecast) {
      print(order.json ? JSON.stringify(forecast) : mergeForecastText(forecast));
      return SUCCESS;
    }
    process.stderr.write(`${mergeForecastText(forecast)}\n`);
    const merged = await runMerge(api, gateway, order);
    if (merged === null) return CANCELLED;
    print(order.json ? JSON.stringify(merged) : mergedText(merged));
    if (merged.run.status === 'cancelled') return CANCELLED;
    return merged.ok ? SUCCESS : FAILURE;
  } finally {
    await gateway.stop();
  }
}

async function evolve(order: EvolveOrder): Promise<number> {
  const gateway = await findGateway({ ...order, folders: [] }, process.env, (line) =>
    process.stderr.write(`${line}\n`),
  );
  try {
    const api: Api = createClient<paths>({ baseUrl: gateway.url, token: gateway.token });
    const config = await evolveConfig(api, order);
    const forecast = await forecastEvolve(api, config);
    if (order.forecast) {
      print(order.json ? JSON.stringify({ config, forecast }) : evolveForecastText(forecast));
      return SUCCESS;
    }
    process.stderr.write(`${evolveForecastText(forecast)}\n`);
    const report = await runEvolve(api, gateway, config, order);
    if (report === null) return CANCELLED;
    print(order.json ? JSON.stringify(report) : reportText(report, process.stdout.columns ?? WIDTH));
    if (report.runs.some(({ status }) => status === 'cancelled')) return CANCELLED;
    return report.ok ? SUCCESS : FAILURE;
  } finally {
    await gateway.stop();
  }
}

async function forge(gateway: Gateway, options: Options, config: PlainConfig): Promise<number> {
  const started = performance.now();
  const api: Api = createClient<paths>({ baseUrl: gateway.url, token: gateway.token });
  const body = withBaseline(config) as S['PipelineConfig'];
  const forecast = await api.post('/api/v1/pipelines/forecast', { body });
  process.stderr.write(`${forecastText(forecast)}\n`);
  const key = options.idempotencyKey ?? randomUUID();
  const pipeline = await api.post('/api/v1/pipelines', { body, headers: { 'Idempotency-Key': key } });
  const ids = [pipeline.cognate, ...(pipeline.evomerge ? [pipeline.evomerge] : [])].map(({ id }) => id);

  async function ended(runs: Run[], view: View): Promise<number> {
    const told = (verification: S['Verification'], done: number, total: number) => {
      view.proof(done, total);
      if (!process.stderr.isTTY)
        view.say(`proof ${done}/${total}  ${checksLine(verification.subject, verification)}`);
    };
    const report = await makeReport(api, pipeline.id, runs, { proofs: options.proofs, started }, told);
    view.stop();
    print(options.json ? JSON.stringify(report) : reportText(report, process.stdout.columns ?? WIDTH));
    if (runs.some(({ status }) => status === 'cancelled')) return CANCELLED;
    return report.ok ? SUCCESS : FAILURE;
  }
  const again = `the same flags with --idempotency-key ${key}`;
  return (await watch(api, gateway, ids, ended, again)) ?? CANCELLED;
}

/** Where nothing is trained, creation is the point: it is timed beside creation in plain PyTorch. */
function withBaseline({ cognate, evomerge }: PlainConfig): PlainConfig {
  const untrained = cognate.train_steps === 0 && cognate.foundation_steps === 0;
  return { cognate: untrained ? { creation_baseline: true, ...cognate } : cognate, evomerge };
}

/** Where the files lie that the configuration names. */
function foldersOf(config: PlainConfig): string[] {
  const files = JSON.stringify(config).match(/"file:[^"]+"/g) ?? [];
  return files.map((text) => dirname((JSON.parse(text) as string).slice('file:'.length)));
}

function forecastText({ cognate, evomerge }: S['PipelineForecast']): string {
  const models = cognate.models.length;
  const time = (cognate.seconds ?? Number.NaN) + (evomerge?.seconds ?? 0);
  const parts = [
    `${models} ${models === 1 ? 'model' : 'models'} to train, ${count(cognate.total_parameters)} parameters, ${bytes(cognate.total_bytes)}`,
    `${count(cognate.steps)} training steps`,
    ...(evomerge ? [`${count(evomerge.candidates)} candidates`] : []),
    ...(Number.isNaN(time) ? [] : [`about ${seconds(time)}`]),
  ];
  return parts.join('; ');
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = USAGE;
  } else {
    const text =
      error instanceof ProblemError
        ? problemText(error)
        : error instanceof Error
          ? error.message
          : String(error);
    process.stderr.write(`error: ${text}\n`);
    process.exitCode = FAILURE;
  }
}
