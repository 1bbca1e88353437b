/** Never run: the compiler's verdict is the test. Each `@ts-expect-error` must stand over a real error. */
import type { paths } from '../../openapi/backend.js';
import { createClient } from '../../openapi/client.js';
import type { paths as gateway } from '../../openapi/gateway.js';

export async function typesOfTheClient() {
  const client = createClient<paths>({ baseUrl: 'http://127.0.0.1:1' });

  const model = await client.get('/v1/models/{model_id}', { path: { model_id: 'm' } });
  model.modules.map((row) => row.parameters.toFixed());
  // @ts-expect-error a property that the contract lacks
  model.nonsense;
  // @ts-expect-error the path parameter is missing
  await client.get('/v1/models/{model_id}');
  // @ts-expect-error another parameter's name
  await client.get('/v1/models/{model_id}', { path: { id: 'm' } });
  // @ts-expect-error no such path
  await client.get('/v1/modelz');
  // @ts-expect-error this path has no DELETE
  await client.delete('/v1/models');

  const page = await client.get('/v1/models', { query: { kind: 'merged', sort: '-bytes', limit: 3 } });
  page.items[0]?.digest.slice(0, 8);
  await client.get('/v1/models');
  // @ts-expect-error no such kind
  await client.get('/v1/models', { query: { kind: 'nonsense' } });
  // @ts-expect-error this operation has no body
  await client.get('/v1/models', { body: {} });

  const run = await client.post('/v1/cognate/runs', {
    body: { preset: 'nano', train_steps: 3 },
    headers: { 'Idempotency-Key': 'k' },
  });
  run.progress.total.toFixed();
  // @ts-expect-error a misspelt field
  await client.post('/v1/cognate/runs', { body: { presett: 'nano' } });
  // @ts-expect-error the body is missing
  await client.post('/v1/cognate/runs');
  // @ts-expect-error parents are required
  await client.post('/v1/evomerge/runs', { body: { generations: 3 } });
  // @ts-expect-error no such command
  await client.post('/v1/runs/{run_id}/{command}', { path: { run_id: 'r', command: 'explode' } });
  await client.post('/v1/models/{model_id}/verify', { path: { model_id: 'm' } });

  const gone: undefined = await client.delete('/v1/models/{model_id}', { path: { model_id: 'm' } });
  const report = await client.get('/v1/runs/{run_id}/report', { path: { run_id: 'r' } });
  if (report.kind === 'evomerge') report.champion?.fitness.total.toFixed();
  // @ts-expect-error only the evomerge report has a champion
  report.champion;
  const answer = await client.request('post', '/v1/cognate/forecast', { body: {} });
  answer.data.models[0]?.bytes.toFixed();

  const front = createClient<gateway>({ baseUrl: '' });
  const runs = await front.get('/api/v1/runs', { query: { status: 'running' } });
  runs.stale_since?.slice();
  runs.items[0]?.champion_fitness?.toFixed();
  // @ts-expect-error the backend's paths are not the gateway's
  await front.get('/v1/runs');
  return gone;
}
