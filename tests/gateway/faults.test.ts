/** Whatever a body holds, it is told what is wrong with it, shortly, and nobody else waits for that. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { resolve, type Schema } from '../../gateway/src/edge/specification.js';
import type { Problem } from '../../openapi/problem.js';
import { invalid, nobody, specification, type TestGateway, testGateway, undocumented } from './fixtures.js';
import { hostileBodies } from './hostile.js';

let gateway: TestGateway;
const lines: string[] = [];
beforeAll(async () => {
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  gateway = await testGateway(await nobody(), undefined, log);
});
afterAll(() => gateway.end());

/** Of a loaded machine; what the machine takes when it is quiet is printed. */
const MOST_MS = 5000;
const ANSWER_BYTES = 65_536;

const withBody = Object.entries(specification.paths).flatMap(([path, methods]) =>
  Object.entries(methods).flatMap(([method, operation]) => {
    const schema = operation.requestBody?.content['application/json']?.schema;
    return schema ? [[operation.operationId, { method: method.toUpperCase(), path, schema }] as const] : [];
  }),
);

/** Longest that the event loop, gateway and client together, stood still meanwhile. */
async function blocked<T>(work: () => Promise<T>): Promise<{ result: T; ms: number }> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const result = await work();
  // The loop turns once more, so that its last delay is counted.
  await new Promise((done) => setTimeout(done, 10));
  delay.disable();
  return { result, ms: delay.max / 1e6 };
}

const post = (path: string, body: string) =>
  gateway.ask(path.replaceAll(/\{\w+\}/g, 'x'), {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  });

describe('every operation with a JSON body', () => {
  test('is in the table', () => {
    expect(withBody.length).toBeGreaterThanOrEqual(8);
  });

  test.each(withBody)('%s refuses each hostile body in time, in few words', async (id, { path, schema }) => {
    await post(path, '{"warm":"up"}');
    const slowest = { what: '', ms: 0, blocked: 0 };
    for (const [what, body] of hostileBodies(schema as Schema)) {
      const began = performance.now();
      const { result: answer, ms } = await blocked(() => post(path, body));
      const took = performance.now() - began;
      if (took > slowest.ms) Object.assign(slowest, { what, ms: Math.round(took) });
      slowest.blocked = Math.max(slowest.blocked, Math.round(ms));
      const problem = answer.json as Problem;
      expect([what, [400, 422].includes(answer.status)]).toEqual([what, true]);
      expect([what, undocumented(id, answer)]).toEqual([what, []]);
      expect(problem.errors.length).toBeLessThanOrEqual(50);
      expect([what, answer.text.length < ANSWER_BYTES]).toEqual([what, true]);
      expect([what, took < MOST_MS, ms < MOST_MS]).toEqual([what, true, true]);
    }
    process.stderr.write(
      `${id}: at most ${slowest.ms} ms, of ${slowest.what}; at most ${slowest.blocked} ms still\n`,
    );
  });
});

const forecast = '/api/v1/cognate/forecast';
const unknown = (count: number) =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, index) => [`unknown_${index}`, 1])));

test.each([
  ['one fault', unknown(1), 1, 0],
  ['as many as are named', unknown(50), 50, 0],
  ['one more', unknown(51), 50, 1],
  ['many', unknown(2000), 50, 1950],
  ['an item and the list that it is in', '{"seeds":[-1,-2]}', 2, 0],
  ['more values than are looked at', unknown(5000), 1, null],
  ['a list of them', `{"seeds":[${Array(100_000).fill('"x"').join()}]}`, 1, null],
])('%s', async (_what, body, named, omitted) => {
  const problem = (await post(forecast, body)).json as Problem;
  expect([problem.code, problem.errors.length, problem.errors_omitted]).toEqual([
    'invalid_request',
    named,
    omitted,
  ]);
  expect(invalid('Problem', problem)).toBeNull();
});

test('a list that is too long is named, with what the whole body may hold', async () => {
  const { errors } = (await post(forecast, `{"seeds":[${Array(100_000).fill(1).join()}]}`)).json as Problem;
  expect(errors).toEqual([
    {
      field: 'seeds',
      message: 'has 100000 items',
      value: null,
      allowed: 'at most 4096 values in the whole body',
    },
  ]);
});

test('no text of the client is repeated at length', async () => {
  const name = 'x'.repeat(10_000);
  const { errors, detail } = (await post(forecast, JSON.stringify({ [name]: name, preset: [name] })))
    .json as Problem;
  for (const { field, message, value } of errors) {
    for (const text of [field, message, String(value)]) expect(text.length).toBeLessThanOrEqual(201);
  }
  expect(detail.length).toBeLessThan(1000);
});

test('the log counts a client’s mistakes, and holds neither a stack nor what was sent', async () => {
  lines.length = 0;
  await post(forecast, unknown(2000));
  await new Promise((done) => setImmediate(done));
  const logged = lines.filter((line) => line.includes(forecast));
  expect(logged).toHaveLength(1);
  expect(JSON.parse(logged[0] ?? '')).toMatchObject({ level: 30, problem: 'invalid_request', faults: 2000 });
  expect(logged[0]).not.toMatch(/stack|unknown_/);
  expect(logged[0]?.length).toBeLessThan(1000);
});

/** Every schema below one, each reference once, with the path on which it was met. */
function* within(schema: Schema, path: string, seen = new Set<Schema>()): Generator<[string, Schema]> {
  const here = resolve(specification, schema);
  if (seen.has(here)) return;
  seen.add(here);
  yield [path, here];
  for (const key of ['anyOf', 'oneOf', 'allOf'] as const) {
    for (const branch of (here[key] as Schema[] | undefined) ?? []) yield* within(branch, path, seen);
  }
  for (const [name, property] of Object.entries(
    (here.properties as Record<string, Schema> | undefined) ?? {},
  ))
    yield* within(property, `${path}.${name}`, seen);
  if (here.items) yield* within(here.items as Schema, `${path}[]`, seen);
}

test.each(withBody)('every list and text that %s takes is bounded', (_id, { schema }) => {
  const parts = [...within(schema as Schema, 'body')];
  expect(parts.length).toBeGreaterThan(1);
  const boundless = parts.filter(
    ([, part]) =>
      (part.type === 'array' && part.maxItems === undefined) ||
      (part.type === 'object' && part.additionalProperties !== false && part.maxProperties === undefined) ||
      (part.type === 'string' &&
        !['maxLength', 'enum', 'const', 'pattern'].some((keyword) => part[keyword] !== undefined)),
  );
  expect(boundless.map(([path]) => path)).toEqual([]);
  const items = parts.reduce((sum, [, { maxItems }]) => sum + Number(maxItems ?? 0), parts.length);
  expect(items).toBeLessThan(1024);
});
