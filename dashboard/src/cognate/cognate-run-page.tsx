import { Anchor, Button, SimpleGrid, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { runModels, series } from '../api/queries.ts';
import { useRun } from '../live/hooks.ts';
import type { RunView } from '../live/topic.ts';
import { RunCommands } from '../runs/commands.tsx';
import { RunProgress } from '../runs/progress.tsx';
import { RunFailure, RunLead } from '../runs/run-head.tsx';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { MadeModels } from './made-models.tsx';
import { StageCard } from './stage-card.tsx';

export default function CognateRunPage({ id }: { id: string }) {
  const { view, problem } = useRun(id);
  if (problem && !view) return <ProblemNote error={problem} />;
  if (!view) return <Waiting for="the run" rows={6} />;
  return <CognateRun view={view} />;
}

function CognateRun({ view }: { view: RunView }) {
  const { run, evaluations } = view;
  const curve = useQuery(series(run.id));
  const models = useQuery(runModels(run.id)).data ?? [];
  const shared = run.cognate?.initialization !== 'independent';
  const specialists = run.cognate?.specializations ?? [];
  const stageOf = (stage: string) => ({
    run,
    stage,
    history: curve.data?.filter((point) => point.stage === stage) ?? [],
    evaluations: evaluations.filter((evaluation) => evaluation.stage === stage),
  });
  const parents = models.filter(({ kind }) => kind === 'specialist');
  return (
    <Page
      title={run.name}
      lead={<RunLead run={run} here="live" />}
      actions={
        <Stack gap={6} align="flex-end">
          <RunCommands run={run} />
        </Stack>
      }
    >
      <RunFailure run={run} />
      <Panel>
        <RunProgress run={run} />
      </Panel>
      {shared && <StageCard {...stageOf('foundation')} wide />}
      <SimpleGrid cols={{ base: 1, md: 2, lg: Math.min(3, specialists.length) }} spacing="md">
        {specialists.map((stage) => (
          <StageCard key={stage} {...stageOf(stage)} />
        ))}
      </SimpleGrid>
      <Panel
        title="Models"
        note={models.length > 0 ? `${models.length} registered` : undefined}
        actions={
          parents.length >= 2 && (
            <Button
              component={Link}
              href={`/evomerge?parents=${parents.map((model) => model.id).join(',')}`}
              variant="default"
              size="xs"
            >
              Breed these
            </Button>
          )
        }
      >
        {models.length > 0 ? (
          <MadeModels models={models} />
        ) : (
          <Text size="sm" c="dimmed">
            Each is registered when its training ends. See the{' '}
            <Anchor component={Link} href={`/runs/${run.id}`} size="sm">
              log
            </Anchor>
            .
          </Text>
        )}
      </Panel>
    </Page>
  );
}
