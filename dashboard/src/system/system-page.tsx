import { Anchor, SimpleGrid, Table, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { system } from '../api/queries.ts';
import type { System } from '../api/schema.ts';
import { useNow } from '../format/now.ts';
import { bytes, count } from '../format/number.ts';
import { ago, clock, duration, stamp } from '../format/time.ts';
import { useConnection, useSummary } from '../live/hooks.ts';
import type { StatusMessage } from '../live/topic.ts';
import { Fact, Facts } from '../shell/fact.tsx';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Wide } from '../shell/scroll-frame.tsx';
import { Waiting } from '../shell/waiting.tsx';

export default function SystemPage() {
  const { gateway } = useConnection();
  // disk, memory and heartbeats change without an event
  const state = useQuery({ ...system, refetchInterval: 3000 });
  const backend = state.data?.backend;
  const status = gateway ?? (state.data && { ...state.data.gateway, stale_since: state.data.stale_since });
  return (
    <Page
      title="System"
      lead="What answers, how far the mirror has followed, and what is left on this machine."
    >
      {state.isError && <ProblemNote error={state.error} onRetry={() => state.refetch()} />}
      {!status ? (
        <Waiting for="the system’s state" rows={6} />
      ) : (
        <>
          <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
            <BackendPanel status={status} started={backend?.started_at} version={backend?.version} />
            <MirrorPanel mirror={status.mirror} sockets={status.sockets} version={status.version} />
          </SimpleGrid>
          {backend ? (
            <>
              <Panel title="Workers" note={`${count(backend.queued_runs)} in the queue`}>
                <Work readiness={backend.readiness} />
                <Workers workers={backend.workers} />
              </Panel>
              {backend.nodes.length > 0 && <Nodes nodes={backend.nodes} />}
              <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
                <Panel title="Machine">
                  <Facts>
                    <Fact label="Disk free" note={`of ${bytes(backend.disk_total)}`}>
                      {bytes(backend.disk_free)}
                    </Fact>
                    <Fact label="Memory free" note={`of ${bytes(backend.memory_total)}`}>
                      {bytes(backend.memory_free)}
                    </Fact>
                    <Fact label="Cores">{backend.cpu_count}</Fact>
                    <Fact
                      label="Matrix products"
                      note={backend.calibration && `measured ${stamp(backend.calibration.measured_at)}`}
                    >
                      {backend.calibration
                        ? `${count(Math.round(backend.calibration.matmul_gflops))} GFLOP/s`
                        : 'not measured'}
                    </Fact>
                    <Fact label="Memory bandwidth">
                      {backend.calibration
                        ? `${backend.calibration.bandwidth_gbytes.toFixed(1)} GB/s`
                        : 'not measured'}
                    </Fact>
                  </Facts>
                  <Text size="xs" c="dimmed" mt="md" style={{ overflowWrap: 'anywhere' }}>
                    Models in {backend.models_directory}
                  </Text>
                </Panel>
                <Panel title="Versions">
                  <Facts>
                    {Object.entries(backend.versions).map(([name, version]) => (
                      <Fact key={name} label={name}>
                        {version}
                      </Fact>
                    ))}
                  </Facts>
                </Panel>
              </SimpleGrid>
            </>
          ) : (
            <Panel title="Workers and machine">
              <Text size="sm" c="dimmed">
                Only the backend knows, and it does not answer now.
              </Text>
            </Panel>
          )}
        </>
      )}
    </Page>
  );
}

function BackendPanel({
  status,
  started,
  version,
}: {
  status: StatusMessage;
  started: string | undefined;
  version: string | undefined;
}) {
  const now = useNow(5000);
  return (
    <Panel title="Backend">
      <Facts>
        <Fact label="State" tone={status.backend_state === 'down' ? 'bad' : undefined}>
          {status.backend_state}
        </Fact>
        <Fact label="Process" note={status.backend_state === 'external' ? 'runs elsewhere' : undefined}>
          {status.pid ?? '–'}
        </Fact>
        <Fact label="Restarts">{count(status.restarts)}</Fact>
        <Fact label="Started">{started ? ago(started, now) : '–'}</Fact>
        <Fact label="Version">{version ?? '–'}</Fact>
        {status.stale_since && (
          <Fact label="Not responding since" tone="bad">
            {clock(status.stale_since)}
          </Fact>
        )}
      </Facts>
    </Panel>
  );
}

function MirrorPanel({
  mirror,
  sockets,
  version,
}: {
  mirror: StatusMessage['mirror'];
  sockets: number;
  version: string;
}) {
  const behind = mirror.backend_seq === null ? null : mirror.backend_seq - mirror.seq;
  return (
    <Panel title="Gateway and mirror">
      <Facts>
        <Fact
          label="Last event"
          note={
            behind === null
              ? undefined
              : behind <= 0
                ? 'all that the backend has'
                : `${count(behind)} to come`
          }
        >
          {count(mirror.seq)}
        </Fact>
        <Fact label="Lag" note="commit to commit">
          {mirror.lag_ms === null ? '–' : duration(mirror.lag_ms / 1000)}
        </Fact>
        <Fact label="Event stream" tone={mirror.connected ? undefined : 'bad'}>
          {mirror.connected ? 'open' : 'closed'}
        </Fact>
        <Fact label="Heard last">{mirror.last_event_at ? clock(mirror.last_event_at) : '–'}</Fact>
        <Fact label="Resyncs">{count(mirror.resyncs)}</Fact>
        <Fact label="Reconciled">{mirror.reconciled_at ? clock(mirror.reconciled_at) : 'not yet'}</Fact>
        <Fact label="Sockets">{count(sockets)}</Fact>
        <Fact label="Version">{version}</Fact>
      </Facts>
      {mirror.epoch && (
        <Text size="xs" c="dimmed" mt="md">
          Epoch <code>{mirror.epoch}</code>
        </Text>
      )}
    </Panel>
  );
}

function Work({ readiness }: { readiness: System['readiness'] }) {
  const { status, workers_alive, workers_wanted, oldest_queued_seconds, oldest_lease_seconds, faults } =
    readiness;
  const few = workers_alive < workers_wanted;
  return (
    <Facts>
      <Fact label="A new run" tone={status === 'ready' ? undefined : 'bad'}>
        {status === 'ready' ? 'would be worked on' : few ? 'would wait for a worker' : 'may wait'}
      </Fact>
      <Fact label="Alive" note={`of ${count(workers_wanted)} wanted`} tone={few ? 'bad' : undefined}>
        {count(workers_alive)}
      </Fact>
      <Fact label="Longest wait in the queue">
        {oldest_queued_seconds === null ? '–' : duration(oldest_queued_seconds)}
      </Fact>
      <Fact label="Oldest sign of life of a run">
        {oldest_lease_seconds === null ? '–' : `${duration(oldest_lease_seconds)} ago`}
      </Fact>
      <Fact label="Fails, tried again" tone={faults.length > 0 ? 'bad' : undefined}>
        {faults.length > 0 ? faults.join(', ') : 'nothing'}
      </Fact>
    </Facts>
  );
}

function Nodes({ nodes }: { nodes: System['nodes'] }) {
  const alive = nodes.filter(({ status }) => status !== 'gone').length;
  return (
    <Panel title="Cluster" note={`${count(alive)} of ${count(nodes.length)} nodes alive`}>
      <Wide label="Table of the cluster’s nodes" min={560}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Node</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>CPUs</Table.Th>
              <Table.Th>GPUs</Table.Th>
              <Table.Th>Memory</Table.Th>
              <Table.Th>Device</Table.Th>
              <Table.Th>Works on</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {nodes.map((node) => (
              <Table.Tr key={node.id}>
                <Table.Td>
                  {node.name}
                  {node.here && ' (this machine)'}
                </Table.Td>
                <Table.Td>{node.status}</Table.Td>
                <Table.Td>{count(node.cpus)}</Table.Td>
                <Table.Td>{count(node.gpus)}</Table.Td>
                <Table.Td>{bytes(node.memory_bytes)}</Table.Td>
                <Table.Td>{node.devices.join(', ')}</Table.Td>
                <Table.Td>{node.children.join(', ') || '–'}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Wide>
    </Panel>
  );
}

function Workers({ workers }: { workers: System['workers'] }) {
  const now = useNow(1000);
  const names = new Map(useSummary()?.active.map(({ id, name }) => [id, name]));
  if (workers.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        None has started yet.
      </Text>
    );
  }
  return (
    <Wide label="Table of workers" min={460}>
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Process</Table.Th>
            <Table.Th>Device</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Run</Table.Th>
            <Table.Th>Heartbeat</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {workers.map((worker) => (
            <Table.Tr key={worker.pid}>
              <Table.Td>{worker.pid}</Table.Td>
              <Table.Td>{worker.device}</Table.Td>
              <Table.Td>{worker.status}</Table.Td>
              <Table.Td>
                {worker.run_id ? (
                  <Anchor component={Link} href={`/runs/${worker.run_id}`} size="sm">
                    {names.get(worker.run_id) ?? worker.run_id}
                  </Anchor>
                ) : (
                  '–'
                )}
              </Table.Td>
              <Table.Td>{worker.heartbeat_at ? ago(worker.heartbeat_at, now) : '–'}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Wide>
  );
}
