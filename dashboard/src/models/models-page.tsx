import { Anchor, Button, Group, NativeSelect, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'wouter';
import { type ModelSort, modelPages } from '../api/queries.ts';
import { bytes, count, digestShort } from '../format/number.ts';
import { stamp } from '../format/time.ts';
import { stageName } from '../runs/status.ts';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Wide } from '../shell/scroll-frame.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { ImportModel } from './import.tsx';
import { ModelName } from './model-name.tsx';
import { VerifiedMark } from './verify.tsx';

const SORTS: readonly { value: ModelSort; label: string }[] = [
  { value: '-created_at', label: 'Newest first' },
  { value: 'created_at', label: 'Oldest first' },
  { value: 'name', label: 'Name' },
  { value: '-bytes', label: 'Largest first' },
  { value: 'bytes', label: 'Smallest first' },
];

export default function ModelsPage() {
  const [query, setQuery] = useSearchParams();
  const search = query.get('search') ?? '';
  const sort = SORTS.find(({ value }) => value === query.get('sort'))?.value ?? '-created_at';
  const [settled] = useDebouncedValue(search, 200);
  const pages = useInfiniteQuery(modelPages({ search: settled, sort }));
  const models = pages.data?.pages.flatMap(({ items }) => items);
  const change = (name: string, value: string) =>
    setQuery(
      (now) => {
        const next = new URLSearchParams(now);
        if (value) next.set(name, value);
        else next.delete(name);
        return next;
      },
      { replace: true },
    );
  return (
    <Page
      title="Models"
      lead="The registry: every file with its digest, and the proof of where it came from."
      actions={<ImportModel />}
    >
      <Panel>
        <Group gap="sm" mb="sm" align="flex-end">
          <TextInput
            label="Search"
            placeholder="part of a name or id"
            value={search}
            onChange={(event) => change('search', event.currentTarget.value)}
            maxLength={200}
            style={{ flex: '1 1 200px' }}
          />
          <NativeSelect
            label="Order"
            data={[...SORTS]}
            value={sort}
            onChange={(event) => change('sort', event.currentTarget.value)}
            w={160}
          />
        </Group>
        {pages.isError && <ProblemNote error={pages.error} onRetry={() => pages.refetch()} />}
        {!models ? (
          !pages.isError && <Waiting for="the models" />
        ) : models.length === 0 ? (
          <Text size="sm" c="dimmed">
            {settled
              ? 'No model has this in its name or id.'
              : 'No model yet. A run registers what it makes, and you can import one.'}
          </Text>
        ) : (
          <>
            <Wide label="Registered models" min={920}>
              <Table highlightOnHover>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Name</Table.Th>
                    <Table.Th>Kind</Table.Th>
                    <Table.Th ta="right">Parameters</Table.Th>
                    <Table.Th ta="right">File</Table.Th>
                    <Table.Th>Digest</Table.Th>
                    <Table.Th>Proof</Table.Th>
                    <Table.Th>Created</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {models.map((model) => (
                    <Table.Tr key={model.id}>
                      <Table.Td style={{ overflowWrap: 'anywhere', minWidth: 240, maxWidth: 360 }}>
                        <Anchor component={Link} href={`/models/${model.id}`} size="sm">
                          <ModelName name={model.name} />
                        </Anchor>
                      </Table.Td>
                      <Table.Td>{stageName(model.specialization ?? model.kind)}</Table.Td>
                      <Table.Td ta="right">{count(model.parameters)}</Table.Td>
                      <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>
                        {bytes(model.bytes)}
                      </Table.Td>
                      <Table.Td>
                        <code title={model.digest} style={{ whiteSpace: 'nowrap' }}>
                          {digestShort(model.digest)}
                        </code>
                      </Table.Td>
                      <Table.Td>
                        <VerifiedMark verified={model.verified} />
                      </Table.Td>
                      <Table.Td style={{ whiteSpace: 'nowrap' }}>{stamp(model.created_at)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            </Wide>
            {pages.hasNextPage && (
              <Button
                mt="sm"
                variant="default"
                size="xs"
                onClick={() => pages.fetchNextPage()}
                disabled={pages.isFetchingNextPage}
              >
                More
              </Button>
            )}
          </>
        )}
      </Panel>
    </Page>
  );
}
