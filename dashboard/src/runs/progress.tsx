import { Group, Progress, Text } from '@mantine/core';
import { hasEnded } from '../../../openapi/realtime.ts';
import type { Run } from '../api/schema.ts';
import { bytes, count, percent } from '../format/number.ts';
import { duration } from '../format/time.ts';
import { useHealth, useProgress } from '../live/hooks.ts';
import { stageName } from './status.ts';

/** Where a run is: exactly what the backend last said, standing still where it says nothing. */
export function RunProgress({ run }: { run: Run }) {
  const { done, total, unit, stage, eta_seconds } = useProgress(run);
  const current = useHealth().kind === 'live';
  const share = total > 0 ? done / total : 0;
  const ended = hasEnded(run.status);
  return (
    <div>
      <Group justify="space-between" gap="xs" mb={5}>
        <Text size="sm" fw={550}>
          {stageName(ended || !stage ? run.status : stage)}
        </Text>
        <Text size="sm" c="dimmed" data-testid="progress-figures">
          {total > 0 &&
            `${unit === 'bytes' ? `${bytes(done)} of ${bytes(total)}` : `${count(done)} of ${count(total)} ${unit}`} · ${percent(share)}`}
          {!ended &&
            run.status === 'running' &&
            current &&
            eta_seconds !== null &&
            ` · ${duration(eta_seconds)} left`}
        </Text>
      </Group>
      <Progress.Root size={8} radius="xl">
        <Progress.Section
          value={share * 100}
          color={current || ended ? 'ember' : 'gray'}
          aria-label={`Progress of ${run.name}`}
        />
      </Progress.Root>
    </div>
  );
}
