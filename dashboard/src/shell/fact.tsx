import type { ReactNode } from 'react';
import classes from './fact.module.css';

/** Labelled figures in a row that wraps: a description list. */
export function Facts({ children, dense = false, wide = false }: FactsProps) {
  return (
    <dl className={classes.facts} data-dense={dense || undefined} data-wide={wide || undefined}>
      {children}
    </dl>
  );
}

interface FactsProps {
  children: ReactNode;
  dense?: boolean;
  /** For notes of some length. */
  wide?: boolean;
}

interface FactProps {
  label: string;
  children: ReactNode;
  /** A second line, for what the figure is compared with. */
  note?: ReactNode;
  tone?: 'good' | 'bad' | 'warn' | undefined;
}

export function Fact({ label, children, note, tone }: FactProps) {
  return (
    <div className={classes.fact}>
      <dt className={classes.label}>{label}</dt>
      <dd className={classes.value} data-tone={tone}>
        <span>{children}</span>
        {note && <span className={classes.note}>{note}</span>}
      </dd>
    </div>
  );
}
