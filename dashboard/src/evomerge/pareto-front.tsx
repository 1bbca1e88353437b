import { Anchor, Group, NativeSelect, Stack, Table } from '@mantine/core';
import { useMemo, useState } from 'react';
import { baselineName, isParent } from '../../../openapi/rivals.ts';
import type { Candidate, EvoMergeReport } from '../api/schema.ts';
import { count } from '../format/number.ts';
import { Panel } from '../shell/panel.tsx';
import { ScrollFrame } from '../shell/scroll-frame.tsx';
import { shortName } from './board.ts';
import { measured } from './faults.ts';
import { type Dot, FrontChart } from './front-chart.tsx';
import { objectivesOf, scoredOf } from './objectives.ts';

interface ParetoFrontProps {
  report: EvoMergeReport;
  candidates: readonly Candidate[];
  championId: string | null;
  onOpen: (candidate: string) => void;
}

/** The candidates that no other one beats in everything, by two objectives of the reader's choice. */
export function ParetoFront({ report, candidates, championId, onOpen }: ParetoFrontProps) {
  const { pareto_front, baselines } = report;
  const objectives = useMemo(() => objectivesOf(pareto_front), [pareto_front]);
  const [names, setNames] = useState<{ x?: string; y?: string }>({});
  const byId = useMemo(() => new Map(candidates.map((one) => [one.id, one])), [candidates]);
  const front = useMemo<Dot[]>(
    () =>
      pareto_front.map((point) => ({
        id: point.candidate_id,
        name: shortName(point.candidate_id),
        scored: byId.get(point.candidate_id) ?? scoredOf(point),
      })),
    [pareto_front, byId],
  );
  // those that stopped early saw other problems
  const scored = useMemo(
    () => candidates.filter((one) => measured(one) && !one.fitness.partial),
    [candidates],
  );
  const best = championId === null ? undefined : (byId.get(championId) ?? report.champion);
  const parents = useMemo<Dot[]>(
    () =>
      baselines
        .filter((baseline) => isParent(baseline) && measured(baseline))
        .map((baseline) => ({
          id: baseline.name,
          name: baselineName(baseline),
          scored: { fitness: baseline.selection, bytes: baseline.bytes },
        })),
    [baselines],
  );
  // two tasks where there are two: what one number hides
  const x = objectives.find(({ name }) => name === names.x) ?? objectives[1];
  const y = objectives.find(({ name }) => name === names.y) ?? objectives[objectives.length > 3 ? 2 : 0];
  if (!x || !y || front.length === 0) return null;
  const choices = objectives.map(({ name, label }) => ({ value: name, label }));
  return (
    <Panel
      title="Pareto front"
      note={`${front.length} of ${count(report.candidates)} candidates, dominated by no other`}
    >
      <Stack gap="md">
        <Group gap="sm">
          <NativeSelect
            label="X axis"
            data={choices}
            value={x.name}
            onChange={(event) => setNames({ ...names, x: event.currentTarget.value })}
          />
          <NativeSelect
            label="Y axis"
            data={choices}
            value={y.name}
            onChange={(event) => setNames({ ...names, y: event.currentTarget.value })}
          />
        </Group>
        <FrontChart
          x={x}
          y={y}
          all={scored}
          front={front}
          parents={parents}
          champion={best ? { id: best.id, name: 'Champion', scored: best } : null}
          onOpen={onOpen}
        />
        <ScrollFrame label="Table of the Pareto front" style={{ overflow: 'auto', maxHeight: 260 }}>
          <Table fz="sm" stickyHeader style={{ minWidth: 140 * objectives.length }}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Candidate</Table.Th>
                {objectives.map(({ name, label }) => (
                  <Table.Th key={name} ta="right">
                    {label}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {front.map(({ id, name, scored }) => (
                <Table.Tr key={id}>
                  <Table.Td>
                    <Anchor component="button" type="button" size="sm" onClick={() => onOpen(id)}>
                      {name}
                    </Anchor>
                    {id === championId && ', champion'}
                  </Table.Td>
                  {objectives.map((objective) => {
                    const value = objective.of(scored);
                    return (
                      <Table.Td key={objective.name} ta="right">
                        {value === undefined ? '–' : objective.format(value)}
                      </Table.Td>
                    );
                  })}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollFrame>
      </Stack>
    </Panel>
  );
}
