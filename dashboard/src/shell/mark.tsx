import type { ReactNode } from 'react';
import type { RunStatus } from '../api/schema.ts';
import classes from './mark.module.css';

export type Tone = 'good' | 'bad' | 'warn' | 'info' | 'ember' | 'polish' | 'idle';

/** A small coloured word. The word carries the meaning; the colour repeats it. */
export function Mark({ tone, children, busy = false }: { tone: Tone; children: ReactNode; busy?: boolean }) {
  return (
    <span className={classes.mark} data-tone={tone} data-busy={busy || undefined}>
      {children}
    </span>
  );
}

const TONES: Record<RunStatus, Tone> = {
  queued: 'idle',
  running: 'info',
  pausing: 'warn',
  paused: 'warn',
  cancelling: 'warn',
  interrupted: 'warn',
  succeeded: 'good',
  failed: 'bad',
  cancelled: 'idle',
};

export function StatusMark({ status }: { status: RunStatus }) {
  return (
    <Mark tone={TONES[status]} busy={status === 'running'}>
      {status}
    </Mark>
  );
}
