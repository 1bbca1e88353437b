import { SimpleGrid, Stack } from '@mantine/core';
import { hasEnded } from '../../../openapi/realtime.ts';
import { useRuns, useSummary } from '../live/hooks.ts';
import { runCount } from '../runs/counts.ts';

import { Page } from '../shell/page.tsx';
import { ChampionPanel } from './champion.tsx';
import { Forge } from './forge.tsx';
import { HealthPanel } from './health.tsx';
import { RecentRuns } from './recent-runs.tsx';
import { RunningNow } from './running.tsx';

export function OverviewPage() {
  const runs = useRuns();
  const summary = useSummary();
  const working = summary ? runCount(summary, (status) => !hasEnded(status)) : 0;
  return (
    <Page title="Overview">
      {summary && working > 0 && <RunningNow active={summary.active} total={working} />}
      <Forge busy={working > 0} />
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <ChampionPanel summary={summary} />
        <HealthPanel />
      </SimpleGrid>
      <Stack>
        <RecentRuns runs={runs} />
      </Stack>
    </Page>
  );
}
