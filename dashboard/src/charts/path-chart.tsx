import { useElementSize } from '@mantine/hooks';
import { percent } from '../format/number.ts';
import { scale, ticks } from './axis.ts';
import classes from './path-chart.module.css';

interface Point {
  /** 0 at one end, 1 at the other. */
  t: number;
  loss: number;
  accuracy: number;
}

interface PathChartProps {
  from: string;
  to: string;
  points: readonly Point[];
  /** Where the same path led before; null where there is no other. */
  former: readonly Point[] | null;
  /** Lowest and highest loss of the vertical axis. */
  range: readonly [number, number];
}

const HEIGHT = 124;
const EDGE = { top: 10, right: 8, bottom: 6, left: 34 };

/** Loss from one model to another, above the straight line between the ends' losses; the rise is marked. */
export function PathChart({ from, to, points, former, range }: PathChartProps) {
  const { ref, width } = useElementSize<HTMLDivElement>();
  const x = scale([0, 1], EDGE.left, width - EDGE.right);
  const y = scale(range, HEIGHT - EDGE.bottom, EDGE.top);
  const line = (path: readonly Point[]) => path.map(({ t, loss }) => `${x(t)},${y(loss)}`).join(' ');
  const ends = [points[0], points.at(-1)].filter((point) => point !== undefined);
  const expected = (t: number) => (1 - t) * (ends[0]?.loss ?? 0) + t * (ends[1]?.loss ?? 0);
  const rise = (point: Point) => point.loss - expected(point.t);
  const top = points.reduce<Point | null>(
    (best, next) => (rise(next) > (best ? rise(best) : 0) ? next : best),
    null,
  );
  return (
    <figure className={classes.chart}>
      <div ref={ref} className={classes.frame} style={{ height: HEIGHT }}>
        {width > 0 && (
          <svg width={width} height={HEIGHT} role="img" aria-label={summary(from, to, points)}>
            {ticks(...range, 4).map((tick) => (
              <g key={tick}>
                <line
                  x1={EDGE.left}
                  x2={width - EDGE.right}
                  y1={y(tick)}
                  y2={y(tick)}
                  className={classes.grid}
                />
                <text x={EDGE.left - 6} y={y(tick)} dy="0.32em" textAnchor="end" className={classes.tick}>
                  {tick}
                </text>
              </g>
            ))}
            <polyline points={line(ends)} className={classes.chord} />
            {top && (
              <line
                x1={x(top.t)}
                x2={x(top.t)}
                y1={y(top.loss)}
                y2={y(expected(top.t))}
                className={classes.rise}
              />
            )}
            {former && <polyline points={line(former)} className={classes.former} />}
            <polyline points={line(points)} className={classes.used} />
            {points.map((point) => (
              <circle key={point.t} cx={x(point.t)} cy={y(point.loss)} r={3.5} className={classes.point}>
                <title>{pointText(point)}</title>
              </circle>
            ))}
          </svg>
        )}
      </div>
      <figcaption className={classes.ends} style={{ paddingLeft: EDGE.left, paddingRight: EDGE.right }}>
        <span>{from}</span>
        <span>{to}</span>
      </figcaption>
    </figure>
  );
}

const pointText = ({ t, loss, accuracy }: Point) =>
  `${percent(1 - t)} and ${percent(t)}: loss ${loss.toFixed(2)}, accuracy ${percent(accuracy, 1)}`;

const summary = (from: string, to: string, points: readonly Point[]) =>
  `Loss from ${from} to ${to}. ${points.map(pointText).join('; ')}.`;
