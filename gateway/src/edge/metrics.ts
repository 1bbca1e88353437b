/** Prometheus metrics: own registry, so that two gateways in one process (tests) don't share counters. */
import type { RequestHandler } from 'express';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { BackendReadiness } from '../../../openapi/backend.js';
import type { GatewayStatus } from '../../../openapi/gateway.js';

export type Metrics = ReturnType<typeof createMetrics>;

export function createMetrics(
  status: () => GatewayStatus,
  backendReadiness: () => Promise<BackendReadiness | null>,
) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Histogram({
    name: 'agent_forge_http_request_seconds',
    help: 'Time from a request to the end of its answer, by operation.',
    labelNames: ['operation', 'method', 'status'] as const,
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    registers,
  });
  const events = new Counter({
    name: 'agent_forge_events_total',
    help: 'Durable events committed to the mirror, by type.',
    labelNames: ['type'] as const,
    registers,
  });
  const messages = new Counter({
    name: 'agent_forge_socket_messages_total',
    help: 'Messages to sockets: event and progress count once per topic, whatever the number of subscribers.',
    labelNames: ['kind'] as const,
    registers,
  });
  const resets = new Counter({
    name: 'agent_forge_socket_resets_total',
    help: 'Subscriptions that were ended, by reason.',
    labelNames: ['reason'] as const,
    registers,
  });

  const gauge = (name: string, help: string, read: (status: GatewayStatus) => number | null) =>
    new Gauge({
      name: `agent_forge_${name}`,
      help,
      registers,
      collect() {
        const value = read(status());
        if (value === null) this.reset();
        else this.set(value);
      },
    });
  gauge(
    'mirror_lag_seconds',
    'Time from the commit of the last event in the backend to the one in the mirror.',
    (now) => (now.mirror.lag_ms === null ? null : now.mirror.lag_ms / 1000),
  );
  gauge('mirror_seq', 'Last event in the mirror.', (now) => now.mirror.seq);
  gauge('backend_seq', 'Newest event that the backend has announced.', (now) => now.mirror.backend_seq);
  gauge('mirror_connected', '1 while the event stream is open.', (now) => Number(now.mirror.connected));
  gauge('mirror_resyncs', 'Snapshots and catch-ups after a reset or gap.', (now) => now.mirror.resyncs);
  gauge('backend_restarts', 'Times that the backend was started again.', (now) => now.restarts);
  gauge('sockets', 'Connected sockets.', (now) => now.sockets);

  // The backend is asked once for all of its figures, however many of them one page has.
  let asked: Promise<BackendReadiness | null> | null = null;
  const ask = () => {
    asked ??= backendReadiness().finally(() => {
      asked = null;
    });
    return asked;
  };
  const work = (name: string, help: string, read: (work: BackendReadiness) => number | null) =>
    new Gauge({
      name: `agent_forge_${name}`,
      help,
      registers,
      async collect() {
        const found = await ask();
        const value = found && read(found);
        if (value === null) this.reset();
        else this.set(value);
      },
    });
  work(
    'workers_alive',
    'Workers that are idle or busy, and were heard of lately.',
    (now) => now.workers_alive,
  );
  work('workers_wanted', 'Workers that there shall be.', (now) => now.workers_wanted);
  work('backend_faults', 'Background tasks of the backend that fail at present.', (now) => now.faults.length);
  work(
    'oldest_queued_run_seconds',
    'For how long the first run in the queue has waited for a worker; 0 where the queue is empty.',
    (now) => now.oldest_queued_seconds ?? 0,
  );
  work(
    'oldest_lease_seconds',
    'Longest time since a worker renewed its lease on a run; 0 where none is held.',
    (now) => now.oldest_lease_seconds ?? 0,
  );

  work('cluster_nodes', 'Nodes of the cluster that are there; 0 without one.', (now) => now.nodes_alive);
  work('cluster_nodes_gone', 'Nodes that were seen and are not there any more.', (now) => now.nodes_gone);
  work(
    'cluster_children',
    'Candidates and specialists that nodes work on at present.',
    (now) => now.children_running,
  );

  return { registry, requests, events, messages, resets };
}

/** Times every request by its operation, never by its path: labels must stay few. */
export function timing({ requests }: Metrics): RequestHandler {
  return function timeRequest(request, response, next) {
    const stop = requests.startTimer();
    response.once('close', () => {
      const { openapi } = request as { openapi?: { schema?: { operationId?: string } } };
      stop({
        operation: openapi?.schema?.operationId ?? 'other',
        method: request.method,
        status: String(response.writableFinished ? response.statusCode : 499),
      });
    });
    next();
  };
}

export function metricsPage({ registry }: Metrics): RequestHandler {
  return async function showMetrics(_request, response) {
    response
      .set('Content-Type', registry.contentType)
      .set('Cache-Control', 'no-store')
      .send(await registry.metrics());
  };
}
