import { Anchor, Table, Text } from '@mantine/core';
import { Link } from 'wouter';
import type { Model } from '../api/schema.ts';
import { bytes, count, digestShort } from '../format/number.ts';
import { ModelName } from '../models/model-name.tsx';
import { VerifiedMark } from '../models/verify.tsx';
import { Wide } from '../shell/scroll-frame.tsx';

/** What a run left behind: files, sizes, digests. */
export function MadeModels({ models }: { models: readonly Model[] }) {
  return (
    <Wide label="Models that the run made" min={680}>
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Model</Table.Th>
            <Table.Th ta="right">Parameters</Table.Th>
            <Table.Th ta="right">File</Table.Th>
            <Table.Th>Digest</Table.Th>
            <Table.Th>Proof</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {[...models].reverse().map((model) => (
            <Table.Tr key={model.id} style={{ verticalAlign: 'top' }}>
              <Table.Td>
                <Anchor component={Link} href={`/models/${model.id}`} size="sm">
                  <ModelName name={model.name} />
                </Anchor>
                {model.files.map((file) => (
                  <Text key={file.path} size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
                    <ModelName name={file.path} />
                  </Text>
                ))}
              </Table.Td>
              <Table.Td ta="right">{count(model.parameters)}</Table.Td>
              <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }} title={`${count(model.bytes)} bytes`}>
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
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Wide>
  );
}
