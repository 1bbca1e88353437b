import { useQuery } from '@tanstack/react-query';
import { system } from '../api/queries.ts';
import { bytes, count } from '../format/number.ts';
import { duration } from '../format/time.ts';
import { useConnection } from '../live/hooks.ts';
import { Fact, Facts } from '../shell/fact.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';

export function HealthPanel() {
  const { gateway } = useConnection();
  // disk and memory change without an event
  const state = useQuery({ ...system, refetchInterval: 10_000 });
  const backend = state.data?.backend;
  const worker = backend?.workers.find(({ status }) => status !== 'gone');
  return (
    <Panel title="Health">
      {state.isError && !state.data ? (
        <ProblemNote error={state.error} onRetry={() => state.refetch()} />
      ) : !gateway ? (
        <Waiting for="the gateway’s state" />
      ) : (
        <Facts>
          <Fact label="Backend" tone={gateway.backend_state === 'down' ? 'bad' : undefined}>
            {gateway.backend_state}
          </Fact>
          <Fact label="Worker" note={worker?.device}>
            {worker ? worker.status : 'none'}
          </Fact>
          <Fact label="In the queue">{backend ? count(backend.queued_runs) : '–'}</Fact>
          <Fact
            label="Mirror"
            note={
              gateway.mirror.lag_ms === null ? undefined : `${duration(gateway.mirror.lag_ms / 1000)} behind`
            }
          >
            event {count(gateway.mirror.seq)}
          </Fact>
          <Fact label="Disk free" note={backend && `of ${bytes(backend.disk_total)}`}>
            {backend ? bytes(backend.disk_free) : '–'}
          </Fact>
          <Fact label="Memory free" note={backend && `of ${bytes(backend.memory_total)}`}>
            {backend ? bytes(backend.memory_free) : '–'}
          </Fact>
        </Facts>
      )}
    </Panel>
  );
}
