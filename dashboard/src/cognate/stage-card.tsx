import { SimpleGrid, Text } from '@mantine/core';
import { useMemo } from 'react';
import { hasEnded } from '../../../openapi/realtime.ts';
import type { Run, SeriesPoint, TrainingEvaluation } from '../api/schema.ts';
import { align, seriesColor } from '../charts/aligned.ts';
import { type Line, LineChart } from '../charts/line-chart.tsx';
import { count, figure, percent, short } from '../format/number.ts';
import { useProgress, usePulse } from '../live/hooks.ts';
import { stageName } from '../runs/status.ts';
import { Fact, Facts } from '../shell/fact.tsx';
import { Mark } from '../shell/mark.tsx';
import { Panel } from '../shell/panel.tsx';

interface StageCardProps {
  run: Run;
  stage: string;
  /** Down-sampled training loss that the run has kept. */
  history: readonly SeriesPoint[];
  evaluations: readonly TrainingEvaluation[];
  /** Charts side by side where there is room. */
  wide?: boolean;
}

/** One model in training: loss as it falls, accuracy on held-out problems per task, depth and speed. */
export function StageCard({ run, stage, history, evaluations, wide = false }: StageCardProps) {
  const live = usePulse(run.id).steps[stage];
  // the run's own copy is as old as its last event
  const progress = useProgress(run);
  const newest = live?.at(-1);
  const last = evaluations.at(-1);
  const running = run.status === 'running' && progress.stage === stage;
  const total = newest?.total_steps ?? last?.total_steps;
  const step = Math.max(newest?.step ?? 0, last?.step ?? 0, history.at(-1)?.step ?? 0);

  const loss = useMemo(() => {
    const known = history.at(-1)?.step ?? -1;
    const fresh = (live ?? []).filter((point) => point.step > known);
    const points = [...history, ...fresh].sort((a, b) => a.step - b.step);
    const heldout = evaluations.map((evaluation) => ({
      step: evaluation.step,
      loss: mean(evaluation.tasks.map((task) => task.loss)),
    }));
    const x = (point: { step: number }) => point.step;
    const y = (point: { loss: number | null }) => point.loss;
    const { x: steps, values } = align<{ step: number; loss: number | null }>([
      { points, x, y },
      { points: heldout, x, y },
    ]);
    const lines: Line[] = [
      { label: 'Training loss', color: '--series-1', values: values[0] ?? [], thin: true, bridge: true },
      { label: 'Held-out loss', color: '--series-2', values: values[1] ?? [], points: true, bridge: true },
    ];
    return { x: steps, lines };
  }, [history, live, evaluations]);

  const accuracy = useMemo(() => {
    const names = [...new Set(evaluations.flatMap(({ tasks }) => tasks.map(({ dataset }) => dataset)))];
    return {
      x: evaluations.map((evaluation) => evaluation.step),
      lines: names.map<Line>((name, index) => ({
        label: stageName(name),
        color: seriesColor(index + 1),
        values: evaluations.map(
          ({ tasks }) => tasks.find(({ dataset }) => dataset === name)?.accuracy ?? null,
        ),
        points: true,
        bridge: true,
      })),
    };
  }, [evaluations]);

  // As the chart ends; the mean since the last evaluation only where no single step is known.
  const trained = newest?.loss ?? history.at(-1)?.loss ?? last?.train_loss ?? null;
  const state = stateOf(run, running, step, total);
  return (
    <Panel
      title={stageName(stage)}
      order={2}
      note={total ? `step ${count(step)} of ${count(total)}` : undefined}
      actions={
        <Mark tone={state === 'training' ? 'info' : state === 'trained' ? 'good' : 'idle'} busy={running}>
          {state}
        </Mark>
      }
    >
      {loss.x.length === 0 ? (
        <Text size="sm" c="dimmed">
          No step measured yet.
        </Text>
      ) : (
        <>
          <Facts dense>
            <Fact label="Training loss">{trained === null ? '–' : figure(trained)}</Fact>
            <Fact label="Accuracy">
              {last ? percent(mean(last.tasks.map((task) => task.accuracy)) ?? 0) : '–'}
            </Fact>
            <Fact label="Mean depth">{last ? `${last.mean_depth.toFixed(2)} blocks` : '–'}</Fact>
            <Fact label="Tokens/s">{speed(newest?.tokens_per_second ?? last?.tokens_per_second)}</Fact>
          </Facts>
          <SimpleGrid cols={{ base: 1, md: wide ? 2 : 1 }} spacing="lg" verticalSpacing="sm" mt={14}>
            <LineChart
              label={`Loss of ${stageName(stage)}, nats a token`}
              x={loss.x}
              xLabel="step"
              lines={loss.lines}
              height={170}
              range={[0, null]}
            />
            {accuracy.x.length > 0 && (
              <LineChart
                label={`Held-out accuracy of ${stageName(stage)}`}
                x={accuracy.x}
                xLabel="step"
                lines={accuracy.lines}
                height={wide ? 170 : 150}
                range={[0, 1]}
                format={(value) => percent(value)}
              />
            )}
          </SimpleGrid>
        </>
      )}
    </Panel>
  );
}

function stateOf(run: Run, running: boolean, step: number, total: number | undefined): string {
  if (running) return 'training';
  if (total !== undefined && step >= total) return 'trained';
  if (hasEnded(run.status)) return step > 0 ? 'stopped' : 'not trained';
  return step > 0 ? 'waiting to go on' : 'not begun';
}

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

const speed = (rate: number | null | undefined): string => (rate == null ? '–' : short(rate));
