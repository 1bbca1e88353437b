import { useElementSize } from '@mantine/hooks';
import { useMemo } from 'react';
import { extent, padded, scale, ticks } from '../charts/axis.ts';
import classes from './front-chart.module.css';
import type { Objective, Scored } from './objectives.ts';

export interface Dot {
  id: string;
  name: string;
  scored: Scored;
}

interface FrontChartProps {
  x: Objective;
  y: Objective;
  /** Every candidate, as the background. */
  all: readonly Scored[];
  front: readonly Dot[];
  parents: readonly Dot[];
  /** On the front or not: by fitness it is the best. */
  champion: Dot | null;
  onOpen: (candidate: string) => void;
}

const HEIGHT = 300;
const EDGE = { top: 10, right: 14, bottom: 42, left: 64 };

/** Two objectives against each other: all candidates, those of the front, and the parents. */
export function FrontChart({ x, y, all, front, parents, champion, onOpen }: FrontChartProps) {
  const { ref, width } = useElementSize<HTMLDivElement>();
  const every = useMemo(
    () => [...all, ...[...front, ...parents].map(({ scored }) => scored)],
    [all, front, parents],
  );
  const across = useScale(x, every, EDGE.left, Math.max(EDGE.left + 1, width - EDGE.right));
  const up = useScale(y, every, HEIGHT - EDGE.bottom, EDGE.top);
  // one path for all: thousands of elements would be slow
  const background = useMemo(
    () => all.map((scored) => `M${across.at(scored)} ${up.at(scored)}h0`).join(''),
    [all, across, up],
  );
  const title = (dot: Dot) =>
    `${dot.name}: ${x.label} ${text(x, dot.scored)}, ${y.label} ${text(y, dot.scored)}`;
  return (
    <figure className={classes.chart}>
      <figcaption className={classes.legend}>
        <span>
          <i data-kind="front" /> on the front
        </span>
        <span>
          <i data-kind="all" /> other candidates
        </span>
        <span>
          <i data-kind="parent" /> parents
        </span>
        <span>
          <i data-kind="champion" /> champion
        </span>
      </figcaption>
      <div ref={ref} style={{ height: HEIGHT }}>
        {width > 0 && (
          <svg
            width={width}
            height={HEIGHT}
            role="img"
            aria-label={`${y.label} by ${x.label}: ${front.length} candidates on the front of ${all.length}`}
          >
            {across.marks.map(({ value, place }) => (
              <g key={value} className={classes.axis}>
                <line x1={place} x2={place} y1={EDGE.top} y2={HEIGHT - EDGE.bottom} />
                <text x={place} y={HEIGHT - EDGE.bottom + 16} textAnchor="middle">
                  {x.format(value)}
                </text>
              </g>
            ))}
            {up.marks.map(({ value, place }) => (
              <g key={value} className={classes.axis}>
                <line x1={EDGE.left} x2={width - EDGE.right} y1={place} y2={place} />
                <text x={EDGE.left - 8} y={place + 4} textAnchor="end">
                  {y.format(value)}
                </text>
              </g>
            ))}
            <text className={classes.label} x={width - EDGE.right} y={HEIGHT - 6} textAnchor="end">
              {x.label}
            </text>
            <path className={classes.all} d={background} />
            {parents.map((dot) => (
              <rect
                key={dot.id}
                className={classes.parent}
                x={across.at(dot.scored) - 4.5}
                y={up.at(dot.scored) - 4.5}
                width={9}
                height={9}
              >
                <title>{title(dot)}</title>
              </rect>
            ))}
            {[...front, ...(champion ? [champion] : [])].map((dot, index) => (
              // biome-ignore lint/a11y/noStaticElementInteractions: the table beside opens the same by the keyboard
              <circle
                // the champion comes last, and again where it is on the front
                key={index < front.length ? dot.id : 'champion'}
                className={index < front.length ? classes.front : classes.champion}
                cx={across.at(dot.scored)}
                cy={up.at(dot.scored)}
                r={5}
                onClick={() => onOpen(dot.id)}
              >
                <title>{title(dot)}</title>
              </circle>
            ))}
          </svg>
        )}
      </div>
    </figure>
  );
}

interface Scale {
  at: (scored: Scored) => number;
  marks: readonly { value: number; place: number }[];
}

/** From an objective's range onto pixels. */
function useScale(objective: Objective, every: readonly Scored[], from: number, to: number): Scale {
  return useMemo(() => {
    const values = every.map((one) => objective.of(one)).filter((value) => value !== undefined);
    const [low, high] = padded(...extent(values));
    const place = scale([low, high], from, to);
    return {
      at: (scored) => place(objective.of(scored) ?? low),
      marks: ticks(low, high, 5).map((value) => ({ value, place: place(value) })),
    };
  }, [objective, every, from, to]);
}

function text(objective: Objective, scored: Scored): string {
  const value = objective.of(scored);
  return value === undefined ? '–' : objective.format(value);
}
