import { Anchor, Stack, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { rivalsOf } from '../../../openapi/rivals.ts';
import { model as modelOf, report } from '../api/queries.ts';
import type { EvoMergeReport, Fitness, Run, RunsSummary } from '../api/schema.ts';
import { compare, VERDICTS } from '../evomerge/comparison.ts';
import { VerdictNote } from '../evomerge/verdict-note.tsx';
import { bytes, count, figure, gain, percent } from '../format/number.ts';
import { ModelName } from '../models/model-name.tsx';
import { VerifiedMark, Verify } from '../models/verify.tsx';
import { Fact, Facts } from '../shell/fact.tsx';
import { Panel } from '../shell/panel.tsx';
import { Waiting } from '../shell/waiting.tsx';

/** The best champion of all runs, on problems that nothing was selected on, beside the best of its parents. */
export function ChampionPanel({ summary }: { summary: RunsSummary | undefined }) {
  if (!summary) {
    return (
      <Panel title="Champion">
        <Waiting for="the runs" />
      </Panel>
    );
  }
  const run = summary.champion;
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
  const modelId = run.champion_model_id;
  const model = useQuery({ ...modelOf(modelId ?? ''), enabled: modelId !== null });
  const outcome = found.data?.kind === 'evomerge' ? found.data : undefined;
  const parent = outcome && rivalsOf(outcome.baselines, 'selection').parent;
  const heldout = run.champion_heldout ?? outcome?.champion_heldout;
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
        {outcome?.champion && <VerdictNote verdict={outcome.verdict} />}
        <Facts wide>
          {heldout && <HeldOut heldout={heldout} verdict={outcome?.verdict} />}
          <Fact
            label={heldout ? 'Selection fitness' : 'Fitness'}
            note={
              outcome?.champion
                ? compare(outcome.champion.fitness, parent?.selection ?? null).join(', ')
                : 'selection problems'
            }
          >
            {figure(fitness)}
          </Fact>
          {outcome?.champion && (
            <Fact label="Parameters" note={`${bytes(outcome.champion.bytes)} of tensors`}>
              {count(outcome.champion.parameters)}
            </Fact>
          )}
        </Facts>
        {model.data ? (
          <Stack gap="xs">
            <Text size="sm" component="div">
              <Anchor component={Link} href={`/models/${model.data.id}`} size="sm">
                <ModelName name={model.data.name} />
              </Anchor>{' '}
              <VerifiedMark verified={model.data.verified} />
            </Text>
            <Verify kind="model" id={model.data.id} />
          </Stack>
        ) : modelId !== null ? (
          <Text size="sm" c="dimmed">
            {model.isError ? 'Its model has been deleted.' : ''}
          </Text>
        ) : (
          <Text size="sm" c="dimmed">
            It is written to the registry when the run ends.
          </Text>
        )}
      </Stack>
    </Panel>
  );
}

type Verdict = EvoMergeReport['verdict'];

/** Fitness and what it hides, beside the best single merge and the best parent: a champion may be fitter because it is faster, and solve fewer problems. */
function HeldOut({ heldout, verdict }: { heldout: Fitness; verdict: Verdict | undefined }) {
  const against = (text: (of: Rival) => string) => (
    <Lines
      of={[
        ...(verdict?.best_merge ? [`${text(verdict.best_merge)} the best single merge`] : []),
        ...(verdict?.best_parent ? [`${text(verdict.best_parent)} the best parent`] : []),
      ]}
    />
  );
  const tone = verdict && VERDICTS[verdict.level];
  return (
    <>
      <Fact
        label="Held-out fitness"
        note={against(({ fitness }) => `${gain(heldout.total, fitness) ?? '–'} vs`)}
        tone={tone}
      >
        {figure(heldout.total)}
      </Fact>
      <Fact
        label="Held-out accuracy"
        note={against(({ accuracy }) => `${percent(accuracy, 1)} of`)}
        tone={tone === 'good' ? undefined : tone}
      >
        {percent(heldout.accuracy, 1)}
      </Fact>
      <Fact label="Mean depth" note={against(({ mean_depth }) => `${depth(mean_depth)} of`)}>
        {depth(heldout.mean_depth)}
      </Fact>
    </>
  );
}

type Rival = NonNullable<Verdict['best_parent']>;

function Lines({ of }: { of: readonly string[] }) {
  return of.map((line) => (
    <span key={line} style={{ display: 'block' }}>
      {line}
    </span>
  ));
}

const depth = (blocks: number | null): string => (blocks === null ? '–' : blocks.toFixed(2));
