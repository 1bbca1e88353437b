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
      w={250}
      fz={13}
      lh={1.4}
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
