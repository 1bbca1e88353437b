import type { ReactNode } from 'react';
import { figure } from '../format/number.ts';
import { ModelName } from '../models/model-name.tsx';
import classes from './shares.module.css';

export interface Share {
  id: string;
  name: string;
  weight: number;
}

/** By a model's place. */
const colourOf = (place: number): string => `var(--series-${(place % 7) + 1})`;

interface SharesProps {
  shares: readonly Share[];
  /** The model that they are merged about. */
  base?: string | undefined;
  /** What stands beside a model's share: without it the legend is one line. */
  control?: ((share: Share) => ReactNode) | undefined;
}

/** What goes into what: a bar with a part for each model, as long as its weight. */
export function Shares({ shares, base, control }: SharesProps) {
  const total = shares.reduce((sum, { weight }) => sum + Math.abs(weight), 0);
  return (
    <figure className={classes.figure} aria-label="Shares of the models">
      <div className={classes.bar} data-empty={total === 0 || undefined}>
        {shares.map(({ id, name, weight }, place) => (
          <span
            key={id}
            className={classes.part}
            data-negative={weight < 0 || undefined}
            style={{ flexGrow: total === 0 ? 1 : Math.abs(weight), backgroundColor: colourOf(place) }}
            title={`${name}: ${figure(weight)}`}
          />
        ))}
      </div>
      <figcaption className={classes.legend} data-rows={control !== undefined || undefined}>
        {shares.map((share, place) => (
          <div key={share.id} className={classes.model}>
            <span className={classes.name}>
              <i style={{ background: colourOf(place) }} />
              <span>
                <ModelName name={share.name} />
              </span>
              <b>{percentOf(share.weight, total)}</b>
            </span>
            {control?.(share)}
          </div>
        ))}
        {base !== undefined && (
          <span className={classes.name}>
            <i className={classes.hollow} />
            <span>
              about <ModelName name={base} />
            </span>
          </span>
        )}
      </figcaption>
    </figure>
  );
}

function percentOf(weight: number, total: number): string {
  const share = total === 0 ? 0 : Math.abs(weight) / total;
  return `${weight < 0 ? '−' : ''}${Math.round(share * 100)} %`;
}
