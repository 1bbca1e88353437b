import { VisuallyHidden } from '@mantine/core';
import { Fragment } from 'react';
import type { EvoMergeReport } from '../api/schema.ts';
import { VERDICTS } from './comparison.ts';
import classes from './verdict-note.module.css';

/** Whether breeding was worth it by the held-out problems, as the backend judges it: the judgement, then its figures. */
export function VerdictNote({ verdict: { level, sentence } }: Pick<EvoMergeReport, 'verdict'>) {
  const end = sentence.indexOf(': ');
  return (
    <p className={classes.verdict} data-testid="verdict" data-level={level} data-tone={VERDICTS[level]}>
      <strong>
        {sentence.slice(0, end)}
        <VisuallyHidden>{sentence.slice(end, end + 2)}</VisuallyHidden>
      </strong>
      <span>
        {sentence
          .slice(end + 2)
          .split(/(?<=_)/)
          .map((part, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: parts are known by their place
            <Fragment key={index}>
              {part}
              <wbr />
            </Fragment>
          ))}
      </span>
    </p>
  );
}
