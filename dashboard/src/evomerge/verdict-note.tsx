import { Group, Stack, Table, Text } from '@mantine/core';
import type { EvoMergeReport } from '../api/schema.ts';
import { figure, percent } from '../format/number.ts';
import { ModelName } from '../models/model-name.tsx';
import { Mark } from '../shell/mark.tsx';
import { Wide } from '../shell/scroll-frame.tsx';
import { VERDICTS } from './comparison.ts';

type Verdict = EvoMergeReport['verdict'];

/** Whether breeding was worth it: the backend's verdict, and the held-out scores that it rests on side by side. */
export function VerdictNote({ verdict }: { verdict: Verdict }) {
  const { tone, words } = VERDICTS[verdict.level];
  const rows = rowsOf(verdict);
  return (
    <Stack gap="xs" data-testid="verdict" data-level={verdict.level}>
      <Group gap="xs" align="baseline" wrap="nowrap">
        <Mark tone={tone ?? 'idle'}>{words}</Mark>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {verdict.sentence}
        </Text>
      </Group>
      {rows.length > 1 && (
        <Wide label="Held-out scores side by side" min={460}>
          <Table fz="sm" verticalSpacing={5}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>On held-out problems</Table.Th>
                <Table.Th ta="right">Fitness</Table.Th>
                <Table.Th ta="right">Accuracy</Table.Th>
                <Table.Th ta="right">Depth</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map(({ label, name, scores }) => (
                <Table.Tr key={label}>
                  <Table.Td>
                    {label}
                    {name && (
                      <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
                        <ModelName name={name} />
                      </Text>
                    )}
                  </Table.Td>
                  <Table.Td ta="right">{figure(scores.fitness)}</Table.Td>
                  <Table.Td ta="right">{percent(scores.accuracy, 1)}</Table.Td>
                  <Table.Td ta="right">{scores.mean_depth?.toFixed(2) ?? '–'}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Wide>
      )}
    </Stack>
  );
}

function rowsOf({ champion, best_parent, most_accurate_parent }: Verdict) {
  const same = best_parent?.name === most_accurate_parent?.name;
  return [
    { label: 'Champion', name: null, scores: champion },
    {
      label: same ? 'Best and most accurate parent' : 'Best parent',
      name: best_parent?.name ?? null,
      scores: best_parent,
    },
    ...(same
      ? []
      : [
          {
            label: 'Most accurate parent',
            name: most_accurate_parent?.name ?? null,
            scores: most_accurate_parent,
          },
        ]),
  ].flatMap(({ scores, ...row }) => (scores && scores.fitness !== null ? [{ ...row, scores }] : []));
}
