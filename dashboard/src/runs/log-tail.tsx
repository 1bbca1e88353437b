import { Text } from '@mantine/core';
import { useEffect, useRef } from 'react';
import type { LogLine } from '../api/schema.ts';
import { clock } from '../format/time.ts';
import { ScrollFrame } from '../shell/scroll-frame.tsx';
import classes from './log-tail.module.css';

/** The newest lines; it follows new ones while it is scrolled to its end. */
export function LogTail({ logs }: { logs: readonly LogLine[] }) {
  const frame = useRef<HTMLElement>(null);
  const atEnd = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: new lines move the end
  useEffect(() => {
    if (atEnd.current && frame.current) frame.current.scrollTop = frame.current.scrollHeight;
  }, [logs]);
  if (logs.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        No line yet.
      </Text>
    );
  }
  return (
    <ScrollFrame
      ref={frame}
      className={classes.log}
      label="Log lines"
      onScroll={({ currentTarget: box }) => {
        atEnd.current = box.scrollHeight - box.scrollTop - box.clientHeight < 24;
      }}
    >
      {logs.map(({ time, level, message }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity of their own
        <div key={`${time} ${index}`} className={classes.line} data-level={level}>
          <time dateTime={time}>{clock(time)}</time>
          <span>
            {level !== 'info' && <strong>{level} </strong>}
            {message}
          </span>
        </div>
      ))}
    </ScrollFrame>
  );
}
