import { useMemo } from 'react';
import type { EvoMergeReport } from '../api/schema.ts';
import { PathChart } from '../charts/path-chart.tsx';
import { Panel } from '../shell/panel.tsx';
import classes from './barrier-paths.module.css';
import { type Barrier, change, type Path, parentLabels, used, verdict } from './barriers.ts';

/** The loss on the straight line between every two parents, before and after their units were matched. */
export function BarrierPaths({ report }: { report: EvoMergeReport }) {
  const { barriers, aligned_to } = report;
  const labels = useMemo(() => parentLabels(report), [report]);
  const range = useMemo(() => lossRange(barriers), [barriers]);
  const label = (id: string) => labels.get(id) ?? id;
  return (
    <Panel
      title="Between the parents"
      note={
        aligned_to
          ? `loss on the straight line between them, before and after matching units to ${label(aligned_to)}`
          : 'loss on the straight line between them'
      }
    >
      <ul className={classes.paths}>
        {barriers.map((barrier) => (
          <li key={`${barrier.first} ${barrier.second}`} className={classes.path} data-testid="barrier">
            <div className={classes.head}>
              <h3 className={classes.title}>
                {label(barrier.first)} – {label(barrier.second)}
              </h3>
              <span className={classes.height}>
                {barrier.after && <s title="before matching">{height(barrier.before)}</s>}
                <b>{height(used(barrier))}</b> nats
              </span>
            </div>
            <PathChart
              from={label(barrier.first)}
              to={label(barrier.second)}
              points={measured(used(barrier))}
              former={barrier.after ? measured(barrier.before) : null}
              range={range}
            />
            <p className={classes.verdict}>
              {verdict(barrier)} {change(barrier)}
            </p>
          </li>
        ))}
      </ul>
      <div className={classes.legend}>
        <span>
          <i data-line="used" />
          {aligned_to ? 'units matched' : 'measured'}
        </span>
        {aligned_to && (
          <span>
            <i data-line="former" />
            as trained
          </span>
        )}
        <span>
          <i data-line="chord" />
          expected by interpolation
        </span>
      </div>
    </Panel>
  );
}

const height = ({ barrier }: Path): string => barrier?.toFixed(2) ?? '–';

/** Points that have a loss; a path through the others cannot be drawn. */
const measured = ({ points }: Path) =>
  points.flatMap(({ t, loss, accuracy }) =>
    loss === null || accuracy === null ? [] : [{ t, loss, accuracy }],
  );

/** One scale for all pairs, so that hills can be compared. */
function lossRange(barriers: readonly Barrier[]): [number, number] {
  const losses = barriers.flatMap(({ before, after }) =>
    [before, ...(after ? [after] : [])].flatMap(measured).map(({ loss }) => loss),
  );
  return [Math.min(...losses), Math.max(...losses)];
}
