import { Progress, Table, Text } from '@mantine/core';
import type { ModelImport } from '../api/schema.ts';
import { bytes, percent } from '../format/number.ts';
import { Wide } from '../shell/scroll-frame.tsx';

type Props = { state: ModelImport; sending?: { name: string; sent: number } | undefined };

/** What has come of each file, what is left out and why, and how far the check is. */
export function ImportFiles({ state, sending }: Props) {
  const taken = state.files.filter((file) => file.left_out === null);
  const total = taken.reduce((sum, file) => sum + file.bytes, 0);
  return (
    <div role="status" data-testid="import-files">
      <Wide label="Files of the import" min={320}>
        <Table verticalSpacing={4}>
          <Table.Tbody>
            {state.files.map((file) => {
              const come = sending?.name === file.name ? sending.sent : file.received;
              return (
                <Table.Tr key={file.name}>
                  <Table.Td style={{ overflowWrap: 'anywhere' }}>{file.name}</Table.Td>
                  <Table.Td ta="right">
                    {file.left_out === null ? (
                      `${percent(file.bytes > 0 ? Math.min(1, come / file.bytes) : 1)} of ${bytes(file.bytes)}`
                    ) : (
                      <Text size="xs" c="dimmed">
                        left out: it {file.left_out}
                      </Text>
                    )}
                  </Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Wide>
      {state.status === 'checking' && (
        <>
          <Text size="sm" c="dimmed" mt="sm" mb={4}>
            All files are there. The backend reads and hashes them…
          </Text>
          <Progress.Root size={8} radius="xl">
            <Progress.Section
              value={total > 0 ? (state.checked_bytes / total) * 100 : 0}
              color="ember"
              aria-label="Progress of the check"
            />
          </Progress.Root>
        </>
      )}
    </div>
  );
}
