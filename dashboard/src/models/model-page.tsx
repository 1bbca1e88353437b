import { Anchor, Stack, Tabs, Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'wouter';
import { model } from '../api/queries.ts';
import type { ModelDetail, RunKind } from '../api/schema.ts';
import { bytes, count } from '../format/number.ts';
import { stamp } from '../format/time.ts';
import { liveHref, stageName } from '../runs/status.ts';
import { Fact, Facts } from '../shell/fact.tsx';
import { loadable } from '../shell/loadable.tsx';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { DeleteModel } from './delete.tsx';
import { Downloads } from './download.tsx';
import { Metadata, Metrics, ModuleTable } from './model-tables.tsx';
import { Playground } from './playground.tsx';
import { RecipeTree } from './recipe-tree.tsx';
import { ShapeFacts } from './shape-facts.tsx';
import { VerifiedMark, Verify } from './verify.tsx';

const LineageGraph = loadable('the lineage graph', () => import('./lineage-graph.tsx'));

const TABS = ['parameters', 'recipe', 'lineage', 'metrics', 'try', 'metadata'] as const;
const TITLES: Record<(typeof TABS)[number], string> = {
  parameters: 'Parameters',
  recipe: 'Origin',
  lineage: 'Lineage',
  metrics: 'Metrics',
  try: 'Try it',
  metadata: 'Metadata',
};

export default function ModelPage({ id }: { id: string }) {
  const found = useQuery(model(id));
  if (found.isError && !found.data)
    return <ProblemNote error={found.error} onRetry={() => found.refetch()} />;
  if (!found.data) return <Waiting for="the model" rows={6} />;
  return <Detail model={found.data} />;
}

function Detail({ model }: { model: ModelDetail }) {
  const [query, setQuery] = useSearchParams();
  const tab = TABS.find((name) => name === query.get('tab')) ?? 'parameters';
  return (
    <Page
      title={model.name}
      lead={
        <>
          {stageName(model.kind)}
          {model.specialization && ` · ${stageName(model.specialization)}`} · {stamp(model.created_at)}
          {model.run_id && (
            <>
              {' · '}
              <Anchor component={Link} href={liveHref({ id: model.run_id, kind: runKind(model) })} size="sm">
                its run
              </Anchor>
            </>
          )}
        </>
      }
      actions={<DeleteModel model={model} />}
    >
      <Panel>
        <Facts>
          <Fact label="Parameters">{count(model.parameters)}</Fact>
          <Fact label="File" note={`${count(model.bytes)} bytes`}>
            {bytes(model.bytes)}
          </Fact>
          <ShapeFacts architecture={model.architecture} tokenizer={model.tokenizer} />
          <Fact label="Proof" note={model.verified_at && stamp(model.verified_at)}>
            <VerifiedMark verified={model.verified} />
          </Fact>
        </Facts>
        <Text size="xs" c="dimmed" mt="md">
          Digest of the tensors
        </Text>
        <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
          {model.digest}
        </Text>
      </Panel>
      <Panel title="Is it real?">
        <Verify
          kind="model"
          id={model.id}
          trained={model.origin.kind === 'trained' && model.origin.steps > 0}
        />
      </Panel>
      <Panel title="Files">
        <Downloads model={model} />
      </Panel>
      <Panel>
        <Tabs
          value={tab}
          onChange={(next) => next && setQuery({ tab: next }, { replace: true })}
          keepMounted={false}
          color="ember"
        >
          <Tabs.List mb="md" aria-label="About the model">
            {TABS.map((name) => (
              <Tabs.Tab key={name} value={name}>
                {TITLES[name]}
              </Tabs.Tab>
            ))}
          </Tabs.List>
          <Tabs.Panel value="parameters">
            <ModuleTable modules={model.modules} total={model.parameters} />
          </Tabs.Panel>
          <Tabs.Panel value="recipe">
            <Origin model={model} />
          </Tabs.Panel>
          <Tabs.Panel value="lineage">
            <LineageGraph modelId={model.id} />
          </Tabs.Panel>
          <Tabs.Panel value="metrics">
            <Metrics model={model} />
          </Tabs.Panel>
          <Tabs.Panel value="try">
            <Playground model={model} />
          </Tabs.Panel>
          <Tabs.Panel value="metadata">
            <Metadata metadata={model.metadata} />
          </Tabs.Panel>
        </Tabs>
      </Panel>
    </Page>
  );
}

function runKind({ origin }: ModelDetail): RunKind {
  if (origin.kind !== 'merged') return 'cognate';
  return origin.candidate_id === null ? 'merge' : 'evomerge';
}

function Origin({ model: { origin } }: { model: ModelDetail }) {
  switch (origin.kind) {
    case 'merged':
      return (
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            {origin.candidate_id !== null && (
              <>
                Bred as candidate <code>{origin.candidate_id}</code>.{' '}
              </>
            )}
            The recipe and the digests of its leaves determine every byte.
          </Text>
          <RecipeTree recipe={origin.recipe} />
        </Stack>
      );
    case 'trained':
      return (
        <Stack gap="sm">
          <Facts>
            <Fact label="Stage">{stageName(origin.stage)}</Fact>
            <Fact label="Steps">{count(origin.steps)}</Fact>
            <Fact label="Seed">{origin.seed}</Fact>
          </Facts>
          {origin.initial ? (
            <>
              <Text size="sm">Trained further from:</Text>
              <RecipeTree recipe={origin.initial} />
            </>
          ) : (
            <Text size="sm">Its first weights were drawn from the seed.</Text>
          )}
        </Stack>
      );
    case 'imported':
      return (
        <Text size="sm">
          Imported from <code>{origin.filename}</code>.
        </Text>
      );
    default:
      origin satisfies never;
      return null;
  }
}
