import { Stack } from '@mantine/core';
import { hasEnded } from '../../../openapi/realtime.ts';
import type { EvoMergeReport, Run } from '../api/schema.ts';
import { Panel } from '../shell/panel.tsx';
import { comparison, fresherSteps } from './comparison.ts';
import { ComparisonTable } from './comparison-table.tsx';
import { FresherStrip } from './fresher-strip.tsx';
import { VerdictNote } from './verdict-note.tsx';

interface VerdictPanelProps {
  report: EvoMergeReport;
  run: Run;
  onOpen: (candidate: string) => void;
}

/** What a run comes to: whether its champion beats the best single merge and the best parent, and by what. */
export function VerdictPanel({ report, run, onOpen }: VerdictPanelProps) {
  const { problems, rows } = comparison(report);
  if (rows.length === 0) return null;
  const ended = hasEnded(run.status);
  return (
    <Panel
      title={ended ? 'Verdict' : 'So far'}
      note={problems === 'heldout' ? 'on held-out problems, used for nothing else' : 'on selection problems'}
    >
      <Stack gap="md">
        {ended && <VerdictNote verdict={report.verdict} />}
        <ComparisonTable rows={rows} onOpen={onOpen} />
        <FresherStrip steps={fresherSteps(report)} />
      </Stack>
    </Panel>
  );
}
