import { Anchor, Button, Drawer, Group, Stack, Table, Text, Title } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Link } from 'wouter';
import { gateway } from '../api/gateway.ts';
import type { Candidate } from '../api/schema.ts';
import { bytes, count, figure, percent } from '../format/number.ts';
import { duration } from '../format/time.ts';
import { ModelName } from '../models/model-name.tsx';
import { RecipeTree } from '../models/recipe-tree.tsx';
import { Verify } from '../models/verify.tsx';
import { Fact, Facts } from '../shell/fact.tsx';
import { Mark } from '../shell/mark.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { ROLE_TONES } from './roles.ts';

interface CandidateDrawerProps {
  candidate: Candidate | undefined;
  championId: string | null;
  onClose: () => void;
}

export function CandidateDrawer({ candidate, championId, onClose }: CandidateDrawerProps) {
  return (
    <Drawer
      opened={candidate !== undefined}
      onClose={onClose}
      position="right"
      size={560}
      title={candidate && `Generation ${candidate.generation}, place ${candidate.slot + 1}`}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {candidate && (
        <Details candidate={candidate} isChampion={candidate.id === championId} key={candidate.id} />
      )}
    </Drawer>
  );
}

function Details({ candidate, isChampion }: { candidate: Candidate; isChampion: boolean }) {
  const { fitness } = candidate;
  return (
    <Stack gap="lg">
      <Group gap={6}>
        <Mark tone={ROLE_TONES[candidate.role]}>{candidate.role}</Mark>
        {isChampion && <Mark tone="ember">champion</Mark>}
        {candidate.cached && <Mark tone="idle">same bytes as before, scores taken from there</Mark>}
      </Group>
      {candidate.fault && <Text size="sm">It has no scores: {candidate.fault.message}.</Text>}
      <Facts>
        <Fact label="Fitness">{figure(fitness.total)}</Fact>
        <Fact label="Likelihood" note="exp(−mean cross-entropy)">
          {figure(fitness.likelihood)}
        </Fact>
        <Fact label="Accuracy">{percent(fitness.accuracy, 1)}</Fact>
        <Fact label="Compute" note={`mean depth ${fitness.mean_depth?.toFixed(2) ?? '–'}`}>
          {figure(fitness.compute)}
        </Fact>
        <Fact label="Memory" note={bytes(candidate.bytes)}>
          {figure(fitness.memory)}
        </Fact>
        <Fact label="Parameters">{count(candidate.parameters)}</Fact>
        <Fact label="Merged in">{duration(candidate.merge_seconds)}</Fact>
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
  const columns = [...new Set(names.flatMap((name) => Object.keys(tasks[name] ?? {})))];
  if (names.length === 0) return null;
  return (
    <Table fz="sm" verticalSpacing={4}>
      <Table.Thead>
        <Table.Tr>
          <Table.Th>Task</Table.Th>
          {columns.map((column) => (
            <Table.Th key={column} ta="right">
              {column.replaceAll('_', ' ')}
            </Table.Th>
          ))}
        </Table.Tr>
      </Table.Thead>
      <Table.Tbody>
        {names.map((name) => (
          <Table.Tr key={name}>
            <Table.Td>{name}</Table.Td>
            {columns.map((column) => {
              const value = tasks[name]?.[column];
              return (
                <Table.Td key={column} ta="right">
                  {value === undefined ? '–' : column === 'accuracy' ? percent(value, 1) : figure(value)}
                </Table.Td>
              );
            })}
          </Table.Tr>
        ))}
      </Table.Tbody>
    </Table>
  );
}

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
