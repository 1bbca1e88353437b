import { Group, Text } from '@mantine/core';
import type { EvoMergeReport } from '../api/schema.ts';
import { Mark } from '../shell/mark.tsx';
import { VERDICTS } from './comparison.ts';

/** Whether breeding was worth it by the held-out problems, as the backend judges it. */
export function VerdictNote({ verdict: { level, sentence } }: Pick<EvoMergeReport, 'verdict'>) {
  const { tone, words } = VERDICTS[level];
  return (
    <Group gap="xs" align="baseline" data-testid="verdict" data-level={level}>
      <Mark tone={tone ?? 'idle'}>{words}</Mark>
      <Text size="sm" style={{ flex: '1 1 260px', minWidth: 0, overflowWrap: 'anywhere' }}>
        {sentence}
      </Text>
    </Group>
  );
}
