import { useComputedColorScheme } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { figure } from '../format/number.ts';
import { padded } from './axis.ts';
import classes from './line-chart.module.css';

export interface Line {
  label: string;
  /** A CSS custom property of theme.css, such as `--series-1`. */
  color: string;
  /** One value a point of `x`; null leaves a gap, or is bridged where `bridge` is set. */
  values: readonly (number | null)[];
  dash?: boolean;
  thin?: boolean;
  points?: boolean;
  bridge?: boolean;
}

interface LineChartProps {
  /** What the chart shows, for those who cannot see it. */
  label: string;
  x: readonly number[];
  xLabel: string;
  lines: readonly Line[];
  height?: number;
  format?: (value: number) => string;
  /** Fixed limits of the vertical axis; null leaves one to the data. */
  range?: readonly [number | null, number | null];
  /** What the horizontal axis reaches at least, beyond the data. */
  until?: number;
  /** Position on x that is marked, such as the generation that is looked at. */
  marked?: number | null;
  onPick?: (x: number) => void;
}

/** Lines over a common x by uPlot: thousands of points in a few milliseconds. Follows the page's colours. */
export function LineChart({
  label,
  x,
  xLabel,
  lines,
  height = 220,
  format = figure,
  range,
  until = 0,
  marked = null,
  onPick,
}: LineChartProps) {
  const scheme = useComputedColorScheme('light');
  const { ref: frame, width } = useElementSize<HTMLDivElement>();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const live = useRef({ marked, until, onPick, format });
  live.current = { marked, until, onPick, format };
  const shape = lines.map(({ label, color, dash, thin, points, bridge }) => [
    label,
    color,
    dash,
    thin,
    points,
    bridge,
  ]);
  const [low, high] = range ?? [null, null];
  const form = JSON.stringify([scheme, shape, xLabel, height, low, high]);
  const ready = width > 0;

  // biome-ignore lint/correctness/useExhaustiveDependencies: `form` stands for all that shapes the plot
  useEffect(() => {
    if (!host.current || !ready) return;
    const css = getComputedStyle(host.current);
    const color = (name: string) => css.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: color('--mantine-color-dimmed'),
      grid: { stroke: color('--grid'), width: 1 },
      ticks: { show: false },
      font: `11px ${css.fontFamily}`,
      gap: 6,
    };
    const made = new uPlot(
      {
        width,
        height,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, points: { size: 7 }, y: false },
        scales: {
          x: {
            time: false,
            // from the data itself: for one point alone uPlot offers limits of its own invention
            range: (self) => {
              const start = self.data[0][0] ?? 0;
              const end = Math.max(self.data[0].at(-1) ?? 0, live.current.until);
              return [start, end > start ? end : start + 1];
            },
          },
          y: { range: (_, min, max) => padded(min, max, [low, high]) },
        },
        axes: [
          {
            ...axis,
            size: 28,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000],
          },
          {
            ...axis,
            size: 52,
            values: (_, ticks) => ticks.map((tick) => trimmed(live.current.format(tick))),
          },
        ],
        series: [
          {},
          ...lines.map((line) => ({
            label: line.label,
            stroke: color(line.color),
            width: line.thin ? 1.25 : 2,
            ...(line.dash ? { dash: [6, 5] } : {}),
            points: { show: (self: uPlot) => line.points === true || self.data[0].length < 3, size: 5 },
            spanGaps: line.bridge ?? false,
          })),
        ],
        hooks: {
          setCursor: [(self) => setCursor(self.cursor.idx ?? null)],
          drawClear: [
            (self) => {
              const at = live.current.marked;
              if (at === null || self.data[0].length === 0) return;
              const left = self.valToPos(at, 'x', true);
              self.ctx.fillStyle = color('--line-strong');
              self.ctx.fillRect(left - 1, self.bbox.top, 2, self.bbox.height);
            },
          ],
        },
      },
      dataOf(x, lines),
      host.current,
    );
    plot.current = made;
    const pick = () => {
      const at = made.cursor.idx;
      const value = at === null || at === undefined ? undefined : made.data[0][at];
      if (value !== undefined) live.current.onPick?.(value);
    };
    made.over.addEventListener('click', pick);
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [form, ready]);

  useEffect(() => {
    if (ready) plot.current?.setSize({ width, height });
  }, [width, height, ready]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a longer axis is scaled again
  useEffect(() => {
    plot.current?.setData(dataOf(x, lines));
  }, [x, lines, until]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a moved mark is drawn again
  useEffect(() => {
    plot.current?.redraw(false);
  }, [marked]);

  const at = cursor !== null && cursor < x.length ? cursor : x.length - 1;
  return (
    <figure className={classes.chart}>
      <figcaption className={classes.legend}>
        {x.length > 0 && (
          <span className={classes.at}>
            {xLabel} {x[at]}
          </span>
        )}
        {lines.map((line) => (
          <span key={line.label} className={classes.entry}>
            <i
              className={classes.swatch}
              style={{
                borderTopColor: `var(${line.color})`,
                borderTopStyle: line.dash ? 'dashed' : 'solid',
              }}
            />
            {line.label}
            <b>{textAt(line, at, format)}</b>
          </span>
        ))}
      </figcaption>
      <div
        ref={frame}
        role="img"
        aria-label={`${label}. ${summary(x, xLabel, lines, format)}`}
        style={{ height }}
      >
        <div ref={host} />
      </div>
    </figure>
  );
}

function dataOf(x: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [x as number[], ...lines.map(({ values }) => values as (number | null)[])];
}

const trimmed = (text: string) =>
  text.includes('.') && /^[\d.−-]+$/.test(text) ? text.replace(/\.?0+$/, '') : text;

/** The value at a point, or the last one before it where the line has a gap there. */
function textAt(line: Line, at: number, format: (value: number) => string): string {
  for (let index = at; index >= 0; index -= 1) {
    const value = line.values[index];
    if (value !== null && value !== undefined) return format(value);
    if (!line.bridge) break;
  }
  return '–';
}

function summary(
  x: readonly number[],
  xLabel: string,
  lines: readonly Line[],
  format: (value: number) => string,
): string {
  if (x.length === 0) return 'No data yet.';
  const last = x.length - 1;
  return `At ${xLabel} ${x[last]}: ${lines.map((line) => `${line.label} ${textAt({ ...line, bridge: true }, last, format)}`).join(', ')}.`;
}
