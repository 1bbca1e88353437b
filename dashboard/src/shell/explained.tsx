import { Tooltip } from '@mantine/core';
import type { ReactNode } from 'react';
import classes from './explained.module.css';

/** A word with its meaning, shown on hover, on focus and on touch. */
export function Explained({ meaning, children }: { meaning: string; children: ReactNode }) {
  return (
    <Tooltip
      label={meaning}
      multiline
      position="bottom-start"
      maw={280}
      withArrow
      interactive
      withinPortal={false}
      events={{ hover: true, focus: true, touch: true }}
    >
      <button type="button" className={classes.explained}>
        {children}
      </button>
    </Tooltip>
  );
}
