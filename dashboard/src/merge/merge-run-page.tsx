import { Anchor, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { hasEnded } from '../../../openapi/realtime.ts';
import { report } from '../api/queries.ts';
import type { MergeReport, Recipe, Run } from '../api/schema.ts';
import { bytes, count, digestShort } from '../format/number.ts';
import { duration } from '../format/time.ts';
import { useModels, useProgress, useRun } from '../live/hooks.ts';
import { RecipeTree } from '../models/recipe-tree.tsx';
import { Verify } from '../models/verify.tsx';
import { RunCommands } from '../runs/commands.tsx';
import { RunProgress } from '../runs/progress.tsx';
import { RunFailure, RunLead } from '../runs/run-head.tsx';
import { Fact, Facts } from '../shell/fact.tsx';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { Exported } from './exported.tsx';
import { Shares } from './shares.tsx';

export default function MergeRunPage({ id }: { id: string }) {
  const { view, problem } = useRun(id);
  if (problem && !view) return <ProblemNote error={problem} />;
  if (!view) return <Waiting for="the run" rows={6} />;
  return <MergeRun run={view.run} />;
}

function MergeRun({ run }: { run: Run }) {
  const found = useQuery({ ...report(run.id), enabled: hasEnded(run.status) });
  const outcome = found.data?.kind === 'merge' ? found.data : undefined;
  const recipe = run.merge?.recipe;
  return (
    <Page
      title={run.merge?.name ?? run.name}
      lead={<RunLead run={run} here="live" />}
      actions={<RunCommands run={run} />}
    >
      <RunFailure run={run} />
      <Panel>
        <RunProgress run={run} />
        <Throughput run={run} />
      </Panel>
      {outcome?.model_id && <Result outcome={outcome} />}
      {recipe && (
        <Panel title="Recipe" note="with the digests of its models it determines every byte">
          <Blend recipe={recipe} />
          <RecipeTree recipe={recipe} />
        </Panel>
      )}
      {(outcome || run.merge?.configuration) && (
        <Panel
          title="Merge configuration"
          note={run.merge?.configuration ? 'as it was sent' : 'for mergekit'}
        >
          <Exported
            mergekit={run.merge?.configuration ?? outcome?.mergekit ?? null}
            not_expressible={outcome?.not_expressible ?? null}
          />
        </Panel>
      )}
    </Page>
  );
}

/** How fast bytes are written: what is left, over the time that the backend expects for it. */
function Throughput({ run }: { run: Run }) {
  const { done, total, eta_seconds } = useProgress(run);
  if (run.status !== 'running' || !eta_seconds || done >= total) return null;
  return (
    <Text size="xs" c="dimmed" mt={6} data-testid="throughput">
      {bytes((total - done) / eta_seconds)} a second
    </Text>
  );
}

function Result({ outcome }: { outcome: MergeReport }) {
  const { model_id, digest, parameters, files, resumed_tensors, timings } = outcome;
  return (
    <Panel
      title="Result"
      actions={
        <Anchor component={Link} href={`/models/${model_id}`} size="sm" data-testid="merged-model">
          Open the model
        </Anchor>
      }
    >
      <Facts>
        {parameters !== null && <Fact label="Parameters">{count(parameters)}</Fact>}
        {outcome.bytes !== null && (
          <Fact label="Size" note={files !== null && files > 1 ? `in ${files} files` : undefined}>
            {bytes(outcome.bytes)}
          </Fact>
        )}
        <Fact label="Time" note={speed(outcome.bytes, timings.total)}>
          {duration(timings.total)}
        </Fact>
        {digest !== null && (
          <Fact label="Digest" note="of the tensors">
            <code title={digest}>{digestShort(digest)}</code>
          </Fact>
        )}
        {resumed_tensors > 0 && <Fact label="Tensors kept from before a stop">{count(resumed_tensors)}</Fact>}
      </Facts>
      <div style={{ marginTop: 14 }}>{model_id && <Verify kind="model" id={model_id} />}</div>
    </Panel>
  );
}

const speed = (size: number | null, seconds: number): string | undefined =>
  size !== null && seconds > 0 ? `${bytes(size / seconds)} a second` : undefined;

/** The shares of a recipe that weighs registered models, and nothing of another one. */
function Blend({ recipe }: { recipe: Recipe }) {
  const names = new Map(useModels()?.map(({ id, name }) => [id, name]));
  if (recipe.kind !== 'merge' || recipe.inputs.some(({ kind }) => kind !== 'model')) return null;
  const { weights } = recipe.parameters;
  if (!Array.isArray(weights) || weights.length !== recipe.inputs.length) return null;
  const nameOf = (one: Recipe) => (one.kind === 'model' ? (names.get(one.model_id) ?? one.model_id) : one.op);
  const shares = recipe.inputs.map((input, place) => ({
    id: `${place}`,
    name: nameOf(input),
    weight: Number(weights[place]),
  }));
  return (
    <div style={{ marginBottom: 14 }}>
      <Shares shares={shares} base={recipe.base ? nameOf(recipe.base) : undefined} />
    </div>
  );
}
