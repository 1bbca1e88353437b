import { Anchor, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { report } from '../api/queries.ts';
import type { Run } from '../api/schema.ts';
import { bestHeldout, bestParent } from '../evomerge/baselines.ts';
import { bytes, count, figure, gain } from '../format/number.ts';
import { useModels } from '../live/hooks.ts';
import { ModelName } from '../models/model-name.tsx';
import { VerifiedMark, Verify } from '../models/verify.tsx';
import { Fact, Facts } from '../shell/fact.tsx';
import { Panel } from '../shell/panel.tsx';
import { Waiting } from '../shell/waiting.tsx';

/** The champion of the newest run that has one, beside the best of its parents. */
export function ChampionPanel({ runs }: { runs: readonly Run[] | undefined }) {
  if (!runs) {
    return (
      <Panel title="Champion">
        <Waiting for="the runs" />
      </Panel>
    );
  }
  const run = runs.find(({ champion_fitness }) => champion_fitness !== null);
  if (!run || run.champion_fitness === null) {
    return (
      <Panel title="Champion">
        <Text c="dimmed" size="sm">
          There is none yet. It is the best candidate that a run has bred so far.
        </Text>
      </Panel>
    );
  }
  return <Champion run={run} fitness={run.champion_fitness} />;
}

function Champion({ run, fitness }: { run: Run; fitness: number }) {
  const found = useQuery(report(run.id));
  const model = useModels()?.find(({ id }) => id === run.champion_model_id);
  const outcome = found.data?.kind === 'evomerge' ? found.data : undefined;
  const parent = outcome && bestParent(outcome);
  const heldout = outcome?.champion_heldout;
  const heldoutParent = outcome ? bestHeldout(outcome) : null;
  return (
    <Panel
      title="Champion"
      note={
        <>
          of{' '}
          <Anchor component={Link} href={`/evomerge/${run.id}`} size="sm">
            {run.name}
          </Anchor>
        </>
      }
    >
      <Stack gap="md">
        <Facts>
          <Fact
            label="Fitness"
            note={
              parent ? `${gain(fitness, parent.selection.total)} vs the best parent` : 'selection problems'
            }
          >
            {figure(fitness)}
          </Fact>
          {heldout && (
            <Fact
              label="Held-out fitness"
              note={
                heldoutParent === null
                  ? undefined
                  : `${gain(heldout.total, heldoutParent)} vs the best parent there`
              }
            >
              {figure(heldout.total)}
            </Fact>
          )}
          {outcome?.champion && (
            <Fact label="Size" note={bytes(outcome.champion.bytes)}>
              {count(outcome.champion.parameters)}
            </Fact>
          )}
        </Facts>
        {model ? (
          <Stack gap="xs">
            <Text size="sm" component="div">
              <Anchor component={Link} href={`/models/${model.id}`} size="sm">
                <ModelName name={model.name} />
              </Anchor>{' '}
              <VerifiedMark verified={model.verified} />
            </Text>
            <Verify kind="model" id={model.id} />
          </Stack>
        ) : (
          <Text size="sm" c="dimmed">
            It is written to the registry when the run ends.
          </Text>
        )}
      </Stack>
    </Panel>
  );
}
