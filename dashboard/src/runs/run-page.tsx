import { SimpleGrid, Text } from '@mantine/core';
import type { Run } from '../api/schema.ts';
import { stamp } from '../format/time.ts';
import { useRun } from '../live/hooks.ts';
import { Fact, Facts } from '../shell/fact.tsx';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { ScrollFrame } from '../shell/scroll-frame.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { RunCommands } from './commands.tsx';
import { LogTail } from './log-tail.tsx';
import { RunProgress } from './progress.tsx';
import { RunFailure, RunLead } from './run-head.tsx';

export default function RunPage({ id }: { id: string }) {
  const { view, problem } = useRun(id);
  if (problem && !view) return <ProblemNote error={problem} />;
  if (!view) return <Waiting for="the run" rows={6} />;
  const { run, logs } = view;
  return (
    <Page title={run.name} lead={<RunLead run={run} here="record" />} actions={<RunCommands run={run} />}>
      <RunFailure run={run} />
      <Panel>
        <RunProgress run={run} />
      </Panel>
      <Panel title="Log" note={logs.length > 1 ? `the newest ${logs.length} lines` : undefined}>
        <LogTail logs={logs} />
      </Panel>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <Panel title="Record">
          <Record run={run} />
        </Panel>
        <Panel title="Configuration">
          <ScrollFrame label="Configuration as JSON" style={{ overflow: 'auto', maxHeight: 380 }}>
            <pre style={{ fontSize: 12, margin: 0 }}>
              {JSON.stringify(run.cognate ?? run.evomerge ?? run.merge ?? run.settings, null, 2)}
            </pre>
          </ScrollFrame>
        </Panel>
      </SimpleGrid>
    </Page>
  );
}

function Record({ run }: { run: Run }) {
  return (
    <>
      <Facts>
        <Fact label="Created">{stamp(run.created_at)}</Fact>
        <Fact label="Started">{run.started_at ? stamp(run.started_at) : 'not yet'}</Fact>
        <Fact label="Ended">{run.finished_at ? stamp(run.finished_at) : 'not yet'}</Fact>
        <Fact label="Attempts">{run.attempt}</Fact>
        <Fact label="Worker">{run.worker_pid === null ? 'none' : `process ${run.worker_pid}`}</Fact>
        <Fact label="Device">{run.device ?? 'not chosen'}</Fact>
        {Object.entries(run.versions).map(([name, version]) => (
          <Fact key={name} label={name}>
            {version}
          </Fact>
        ))}
      </Facts>
      <Text size="xs" c="dimmed" mt="md" style={{ overflowWrap: 'anywhere' }}>
        Run {run.id}
        {run.pipeline_id && ` · pipeline ${run.pipeline_id}`}
        {run.trace_id && ` · trace ${run.trace_id}`}
      </Text>
    </>
  );
}
