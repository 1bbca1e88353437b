import { SimpleGrid, Text } from '@mantine/core';
import { useMemo } from 'react';
import { rivalsOf } from '../../../openapi/rivals.ts';
import type { EvoMergeReport, Generation } from '../api/schema.ts';
import { type Line, LineChart } from '../charts/line-chart.tsx';
import { bytes } from '../format/number.ts';
import { Panel } from '../shell/panel.tsx';
import classes from './fitness-chart.module.css';

interface FitnessChartProps {
  generations: readonly Generation[];
  baselines: EvoMergeReport['baselines'];
  generation: number;
  /** The axis reaches it, complete or not. */
  newest: number;
  onPick: (generation: number) => void;
}

/** Best, mean and worst of each generation beside the lines that have to be beaten; diversity and size below. */
export function FitnessChart({ generations, baselines, generation, newest, onPick }: FitnessChartProps) {
  const x = useMemo(() => generations.map(({ index }) => index), [generations]);
  const lines = useMemo<Line[]>(() => {
    // a generation in which nothing was measured on all problems has no figures: 0 would be an invention
    const scored = (of: (generation: Generation) => number) =>
      generations.map((g) => (g.ranked.length > (g.stopped_early ?? 0) ? of(g) : null));
    const level = (label: string, color: string, { selection }: EvoMergeReport['baselines'][number]) => ({
      label,
      color,
      values: generations.map(() => selection.total),
      dash: true,
    });
    const { merge, parent } = rivalsOf(baselines, 'selection');
    return [
      { label: 'Best so far', color: '--series-1', values: generations.map((g) => g.champion_fitness) },
      { label: 'Best', color: '--series-2', values: scored((g) => g.best), thin: true },
      { label: 'Mean', color: '--series-3', values: scored((g) => g.mean), thin: true },
      { label: 'Worst', color: '--idle', values: scored((g) => g.worst), thin: true },
      ...(merge ? [level('Best single merge', '--series-5', merge)] : []),
      ...(parent ? [level('Best parent', '--series-4', parent)] : []),
    ];
  }, [generations, baselines]);
  const diversity = useMemo<Line[]>(
    () => [{ label: 'Diversity', color: '--series-6', values: generations.map((g) => g.diversity) }],
    [generations],
  );
  const sizes = useMemo<Line[]>(
    () => [
      { label: 'Largest', color: '--series-5', values: generations.map((g) => g.max_bytes) },
      { label: 'Smallest', color: '--series-7', values: generations.map((g) => g.min_bytes), thin: true },
    ],
    [generations],
  );
  if (generations.length === 0) {
    return (
      <Panel title="Fitness">
        <Text size="sm" c="dimmed">
          The curve begins when the first generation is complete.
        </Text>
      </Panel>
    );
  }
  const shared = { x, xLabel: 'generation', until: newest, marked: generation, onPick };
  return (
    <div className={classes.charts}>
      <Panel title="Fitness" note="on selection problems">
        <LineChart {...shared} label="Fitness by generation" lines={lines} height={296} />
      </Panel>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 1 }} spacing="md">
        <Panel title="Diversity" note="mean cosine distance">
          <LineChart
            {...shared}
            label="Diversity by generation"
            lines={diversity}
            height={92}
            range={[0, null]}
          />
        </Panel>
        <Panel title="Tensor bytes" note="without a file’s header">
          <LineChart
            {...shared}
            label="Tensor bytes by generation"
            lines={sizes}
            height={92}
            format={bytes}
          />
        </Panel>
      </SimpleGrid>
    </div>
  );
}
