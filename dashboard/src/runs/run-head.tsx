import { Anchor, Group, Text } from '@mantine/core';
import { Link } from 'wouter';
import type { Run } from '../api/schema.ts';
import { useNow } from '../format/now.ts';
import { ago, duration } from '../format/time.ts';
import { StatusMark } from '../shell/mark.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { liveHref } from './status.ts';

/** State, times and neighbours of a run, in one line. */
export function RunLead({ run, here }: { run: Run; here: 'live' | 'record' }) {
  const now = useNow(5000);
  const facts = [
    run.started_at ? `started ${ago(run.started_at, now)}` : `created ${ago(run.created_at, now)}`,
    ...(run.busy_seconds > 0 ? [`${duration(run.busy_seconds)} of work`] : []),
    ...(run.attempt > 1 ? [`attempt ${run.attempt}`] : []),
    ...(run.device ? [run.device] : []),
  ];
  return (
    <Group gap="xs">
      <StatusMark status={run.status} />
      <span>{facts.join(' · ')}</span>
      {here === 'live' ? (
        <Anchor component={Link} href={`/runs/${run.id}`} size="sm">
          Log and configuration
        </Anchor>
      ) : (
        <Anchor component={Link} href={liveHref(run)} size="sm">
          Charts and results
        </Anchor>
      )}
      {run.depends_on && (
        <Anchor component={Link} href={`/cognate/${run.depends_on}`} size="sm">
          Parents’ run
        </Anchor>
      )}
    </Group>
  );
}

export function RunFailure({ run }: { run: Run }) {
  if (!run.failure) return null;
  const { code, message, hint, log_tail } = run.failure;
  return (
    <div>
      <ProblemNote
        error={{
          type: 'about:blank',
          title: run.status === 'failed' ? 'The run failed' : 'The run was interrupted',
          status: 0,
          code,
          detail: message,
          hint,
          instance: null,
          trace_id: run.trace_id,
          errors: [],
        }}
      />
      {log_tail.length > 0 && (
        <Text component="pre" size="xs" style={{ whiteSpace: 'pre-wrap' }} tabIndex={0}>
          {log_tail.join('\n')}
        </Text>
      )}
    </div>
  );
}
