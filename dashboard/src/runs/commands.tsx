import { Button, Group } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { gateway } from '../api/gateway.ts';
import type { Run } from '../api/schema.ts';
import { useHealth } from '../live/hooks.ts';
import { ProblemNote } from '../shell/problem.tsx';
import { type Command, commandsFor } from './status.ts';

const WORDS: Record<Command, string> = { pause: 'Pause', resume: 'Resume', cancel: 'Cancel', retry: 'Retry' };

/** Buttons of a run. Its state changes on the page only when the backend's event says so. */
export function RunCommands({ run, size = 'xs' }: { run: Run; size?: 'xs' | 'compact-xs' }) {
  const send = useMutation({
    mutationFn: (command: Command) =>
      gateway.post('/api/v1/runs/{run_id}/{command}', { path: { run_id: run.id, command } }),
  });
  const away = useHealth().kind !== 'live';
  const commands = commandsFor(run.status);
  if (commands.length === 0 && !send.isError) return null;
  return (
    <div>
      <Group gap={6} wrap="nowrap">
        {commands.map((command) => (
          <Button
            key={command}
            size={size}
            variant="default"
            disabled={send.isPending || away}
            onClick={() => send.mutate(command)}
            aria-label={`${WORDS[command]} ${run.name}`}
          >
            {WORDS[command]}
          </Button>
        ))}
      </Group>
      {send.isError && <ProblemNote error={send.error} />}
    </div>
  );
}
