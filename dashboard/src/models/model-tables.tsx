import { Table, Text } from '@mantine/core';
import type { ModelDetail } from '../api/schema.ts';
import { column, count, figure, percent } from '../format/number.ts';
import { stageName } from '../runs/status.ts';
import { ScrollFrame, Wide } from '../shell/scroll-frame.tsx';

export function ModuleTable({ modules, total }: { modules: ModelDetail['modules']; total: number }) {
  const counted = modules.reduce((sum, { parameters }) => sum + parameters, 0);
  return (
    <Wide label="Parameters by module" min={420}>
      <Table fz="sm" verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Module</Table.Th>
            <Table.Th>Shape</Table.Th>
            <Table.Th ta="right">Parameters</Table.Th>
            <Table.Th ta="right">Share</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {modules.map(({ module, shape, parameters }) => (
            <Table.Tr key={module}>
              <Table.Td ff="monospace" fz="xs">
                {module}
              </Table.Td>
              <Table.Td ff="monospace" fz="xs" c="dimmed">
                {shape}
              </Table.Td>
              <Table.Td ta="right">{count(parameters)}</Table.Td>
              <Table.Td ta="right">{percent(parameters / total, 1)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
        <Table.Tfoot>
          <Table.Tr>
            <Table.Th>Sum</Table.Th>
            <Table.Td />
            <Table.Th ta="right">{count(counted)}</Table.Th>
            <Table.Td />
          </Table.Tr>
        </Table.Tfoot>
      </Table>
    </Wide>
  );
}

/** `accuracy/recall` and `loss/recall` become one row of columns. */
export function Metrics({ model }: { model: ModelDetail }) {
  const names = Object.keys(model.metrics);
  if (names.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        None were measured when it was registered.
      </Text>
    );
  }
  const scored = names.filter((name) => name.includes('/'));
  const kinds = [...new Set(scored.map((name) => name.slice(0, name.indexOf('/'))))];
  const formats = new Map(kinds.map((kind) => [kind, formatOf(model, kind)]));
  const tasks = [...new Set(scored.map((name) => name.slice(name.indexOf('/') + 1)))];
  const others = names.filter((name) => !name.includes('/'));
  return (
    <Wide label="Metrics" min={380}>
      <Table fz="sm">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Measured on</Table.Th>
            {kinds.map((kind) => (
              <Table.Th key={kind} ta="right">
                {stageName(kind)}
              </Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {tasks.map((task) => (
            <Table.Tr key={task}>
              <Table.Td>{stageName(task)}</Table.Td>
              {kinds.map((kind) => {
                const value = model.metrics[`${kind}/${task}`];
                return (
                  <Table.Td key={kind} ta="right">
                    {value === undefined ? '–' : formats.get(kind)?.(value)}
                  </Table.Td>
                );
              })}
            </Table.Tr>
          ))}
          {others.map((name) => (
            <Table.Tr key={name}>
              <Table.Td>{stageName(name)}</Table.Td>
              <Table.Td ta="right" colSpan={Math.max(1, kinds.length)}>
                {figure(model.metrics[name] ?? Number.NaN)}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Wide>
  );
}

function formatOf({ metrics }: ModelDetail, kind: string): (value: number) => string {
  if (kind === 'accuracy') return (share) => percent(share, 1);
  return column(
    Object.entries(metrics).flatMap(([name, value]) => (name.startsWith(`${kind}/`) ? [value] : [])),
  );
}

export function Metadata({ metadata }: { metadata: ModelDetail['metadata'] }) {
  return (
    <ScrollFrame label="Metadata file" style={{ overflow: 'auto', maxHeight: 520 }}>
      <pre style={{ fontSize: 12, margin: 0 }}>{JSON.stringify(metadata, null, 2)}</pre>
    </ScrollFrame>
  );
}
