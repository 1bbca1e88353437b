import { SimpleGrid, Stack } from '@mantine/core';
import { useRuns } from '../live/hooks.ts';
import { hasEnded } from '../runs/status.ts';
import { Page } from '../shell/page.tsx';
import { ChampionPanel } from './champion.tsx';
import { Forge } from './forge.tsx';
import { HealthPanel } from './health.tsx';
import { RecentRuns } from './recent-runs.tsx';
import { RunningNow } from './running.tsx';

export function OverviewPage() {
  const runs = useRuns();
  const working = runs?.filter((run) => !hasEnded(run.status)) ?? [];
  return (
    <Page title="Overview">
      {working.length > 0 && <RunningNow runs={working} />}
      <Forge busy={working.length > 0} />
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <ChampionPanel runs={runs} />
        <HealthPanel />
      </SimpleGrid>
      <Stack>
        <RecentRuns runs={runs} />
      </Stack>
    </Page>
  );
}
