import { Alert, Anchor, Button, Drawer, Group, Stack, Table, Text, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Link } from 'wouter';
import { gateway } from '../api/gateway.ts';
import type { Candidate, Generation } from '../api/schema.ts';
import { bytes, column, count, figure, ordinal, percent } from '../format/number.ts';
import { duration } from '../format/time.ts';
import { ModelName } from '../models/model-name.tsx';
import { RecipeTree } from '../models/recipe-tree.tsx';
import { Verify } from '../models/verify.tsx';
import { stageName } from '../runs/status.ts';
import { Explained } from '../shell/explained.tsx';
import { Fact, Facts } from '../shell/fact.tsx';
import { Mark } from '../shell/mark.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { rankOf, shortName } from './board.ts';
import { FAULTS, faultText } from './faults.ts';
import { partialText } from './partial.ts';
import { PartialMark } from './partial-mark.tsx';
import { RoleMark } from './role-mark.tsx';

interface CandidateDrawerProps {
  candidate: Candidate | undefined;
  /** Its generation, once that is complete. */
  generation: Generation | undefined;
  championId: string | null;
  onClose: () => void;
}

export function CandidateDrawer({ candidate, generation, championId, onClose }: CandidateDrawerProps) {
  return (
    <Drawer
      opened={candidate !== undefined}
      onClose={onClose}
      position="right"
      size={560}
      title={candidate && `Candidate ${shortName(candidate.id)}`}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {candidate && (
        <Details
          candidate={candidate}
          generation={generation}
          isChampion={candidate.id === championId}
          key={candidate.id}
        />
      )}
    </Drawer>
  );
}

interface DetailsProps {
  candidate: Candidate;
  generation: Generation | undefined;
  isChampion: boolean;
}

function Details({ candidate, generation, isChampion }: DetailsProps) {
  const { fitness } = candidate;
  const rank = rankOf(candidate.id, generation);
  return (
    <Stack gap="lg">
      <Group gap={6}>
        <RoleMark role={candidate.role} />
        {isChampion && <Mark tone="ember">champion</Mark>}
        {candidate.polished && candidate.role !== 'polished' && (
          <Explained meaning="Polished weights: it descends from a candidate whose weights were improved by gradient on training problems.">
            <Mark tone="polish">polished weights</Mark>
          </Explained>
        )}
        {fitness.partial && <PartialMark fitness={fitness} />}
        {candidate.cached && <Mark tone="idle">same bytes as before, scores taken from there</Mark>}
      </Group>
      {candidate.fault && (
        <Alert
          variant="outline"
          color="red"
          title={FAULTS[candidate.fault.kind]}
          styles={{ title: { color: 'var(--bad)' }, body: { minWidth: 0, overflowWrap: 'anywhere' } }}
        >
          <Text size="sm">
            {faultText(candidate.fault)} It has fitness 0, competes with no other candidate and is no parent
            of any.
          </Text>
        </Alert>
      )}
      <Facts>
        <Fact label="Generation, slot" note="both count from 0">
          {candidate.generation}, {candidate.slot}
        </Fact>
        {!candidate.fault && (
          <>
            <Fact
              label="Fitness"
              note={rank === null ? undefined : `${ordinal(rank)} of ${generation?.ranked.length} by fitness`}
            >
              {fitness.partial && '≈ '}
              {figure(fitness.total)}
            </Fact>
            {fitness.problems != null && (
              <Fact label="Problems" note={fitness.partial ? partialText(fitness) : 'over all data sets'}>
                {count(fitness.problems)}
              </Fact>
            )}
            <Fact label="Likelihood" note="exp(−loss)">
              {figure(fitness.likelihood)}
            </Fact>
            <Fact label="Accuracy">{percent(fitness.accuracy, 1)}</Fact>
            <Fact label="Compute" note={`mean depth ${fitness.mean_depth?.toFixed(2) ?? '–'}`}>
              {figure(fitness.compute)}
            </Fact>
            <Fact label="Memory" note={`${bytes(candidate.bytes)} of tensors`}>
              {figure(fitness.memory)}
            </Fact>
          </>
        )}
        <Fact label="Parameters">{count(candidate.parameters)}</Fact>
        <Fact label="Merged in" note={candidate.node ? `on ${candidate.node}` : undefined}>
          {duration(candidate.merge_seconds)}
        </Fact>
        <Fact label="Evaluated in">{duration(candidate.evaluate_seconds)}</Fact>
      </Facts>
      <Tasks tasks={fitness.tasks} />
      <section aria-label="Recipe">
        <Title order={3} size={14} mb={6}>
          Recipe
        </Title>
        <RecipeTree recipe={candidate.recipe} />
      </section>
      <section aria-label="Proof">
        <Title order={3} size={14} mb={6}>
          Proof
        </Title>
        <Text size="xs" ff="monospace" c="dimmed" mb="sm" style={{ overflowWrap: 'anywhere' }}>
          {candidate.digest ?? 'There are no tensors: the merge failed.'}
        </Text>
        <Verify kind="candidate" id={candidate.id} />
      </section>
      <Keep candidate={candidate} />
    </Stack>
  );
}

function Tasks({ tasks }: { tasks: Candidate['fitness']['tasks'] }) {
  const names = Object.keys(tasks);
  const columns = [...new Set(names.flatMap((name) => Object.keys(tasks[name] ?? {})))].map((name) => {
    const values = names.map((task) => tasks[task]?.[name]);
    return { name, format: name === 'accuracy' ? share : column(values) };
  });
  if (names.length === 0) return null;
  return (
    <Table fz="sm" verticalSpacing={4}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Data set</Table.Th>
          {columns.map(({ name }) => (
            <Table.Th key={name} ta="right">
              {stageName(name)}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {names.map((task) => (
          <Table.Tr key={task}>
            <Table.Td>{stageName(task)}</Table.Td>
            {columns.map(({ name, format }) => {
              const value = tasks[task]?.[name];
              return (
                <Table.Td key={name} ta="right">
                  {value === undefined ? '–' : format(value)}
                </Table.Td>
              );
            })}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

const share = (value: number) => percent(value, 1);

/** Candidates are recipes; one that should stay is built again and written to the registry. */
function Keep({ candidate }: { candidate: Candidate }) {
  const keep = useMutation({
    mutationFn: () =>
      gateway.post('/api/v1/candidates/{candidate_id}/materialize', {
        path: { candidate_id: candidate.id },
        timeout: 10 * 60_000,
      }),
  });
  return (
    <Stack gap="xs">
      {keep.data ? (
        <Text size="sm" role="status" style={{ overflowWrap: 'anywhere' }}>
          Kept as{' '}
          <Anchor component={Link} href={`/models/${keep.data.id}`} size="sm">
            <ModelName name={keep.data.name} />
          </Anchor>
        </Text>
      ) : (
        <Group gap="sm">
          <Button variant="default" onClick={() => keep.mutate()} disabled={keep.isPending}>
            {keep.isPending ? 'Building it from its recipe…' : 'Keep as a model'}
          </Button>
        </Group>
      )}
      {keep.isError && <ProblemNote error={keep.error} />}
    </Stack>
  );
}
