import { Anchor } from '@mantine/core';
import { Link } from 'wouter';
import { extent, padded, scale } from '../charts/axis.ts';
import { figure, percent } from '../format/number.ts';
import { ModelName } from '../models/model-name.tsx';
import type { Rival, Scores } from './comparison.ts';
import classes from './comparison-table.module.css';

interface Measure {
  name: string;
  /** Which end is the better one. */
  note: string;
  of: (scores: Scores) => number | null;
  format: (value: number | null) => string;
}

const MEASURES: readonly Measure[] = [
  { name: 'Fitness', note: 'more is better', of: ({ total }) => total, format: figure },
  {
    name: 'Accuracy',
    note: 'more is better',
    of: ({ accuracy }) => accuracy,
    format: (share) => percent(share, 1),
  },
  {
    name: 'Depth',
    note: 'blocks, fewer is faster',
    of: ({ mean_depth }) => mean_depth,
    format: (blocks) => blocks?.toFixed(2) ?? '–',
  },
];

interface ComparisonTableProps {
  rows: readonly Rival[];
  onOpen: (candidate: string) => void;
}

/** A row a rival; each measure as a figure, and as a dot on the scale that its column shares. */
export function ComparisonTable({ rows, onOpen }: ComparisonTableProps) {
  return (
    <table className={classes.table} data-testid="comparison">
      <thead>
        <tr>
          <th scope="col">Model</th>
          {MEASURES.map(({ name, note }) => (
            <th key={name} scope="col">
              {name} <small>{note}</small>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.kind} data-kind={row.kind}>
            <th scope="row">
              {row.name}
              <Detail row={row} onOpen={onOpen} />
            </th>
            {MEASURES.map((measure) => (
              <td key={measure.name}>
                {row.scores ? measure.format(measure.of(row.scores)) : '–'}
                {rows.length > 1 && <Track rows={rows} row={row} measure={measure} />}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Detail({
  row: { kind, detail, modelId, candidateId },
  onOpen,
}: { row: Rival } & Pick<ComparisonTableProps, 'onOpen'>) {
  if (candidateId !== null) {
    return (
      <Anchor component="button" type="button" className={classes.detail} onClick={() => onOpen(candidateId)}>
        {detail}
      </Anchor>
    );
  }
  return modelId !== null && kind === 'parent' ? (
    <Anchor component={Link} href={`/models/${modelId}`} className={classes.detail}>
      <ModelName name={detail} />
    </Anchor>
  ) : (
    <span className={classes.detail}>{detail}</span>
  );
}

/** The figure's place among the rows'; the champion's is a line through all of them. */
function Track({ rows, row, measure }: { rows: readonly Rival[]; row: Rival; measure: Measure }) {
  const value = (of: Rival | undefined) => (of?.scores ? measure.of(of.scores) : null);
  const known = rows.map(value).filter((one) => one !== null);
  const own = value(row);
  const champion = value(rows.find(({ kind }) => kind === 'champion'));
  const place = scale(padded(...extent(known)), 0, 100);
  return (
    <span className={classes.track} aria-hidden>
      {champion !== null && <s style={{ left: `${place(champion)}%` }} />}
      {own !== null && <i style={{ left: `${place(own)}%` }} />}
    </span>
  );
}
