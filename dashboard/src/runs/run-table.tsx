import { Anchor, Table } from '@mantine/core';
import { Link } from 'wouter';
import type { Run } from '../api/schema.ts';
import { figure } from '../format/number.ts';
import { duration, stamp } from '../format/time.ts';
import { StatusMark } from '../shell/mark.tsx';
import { Wide } from '../shell/scroll-frame.tsx';
import { RunCommands } from './commands.tsx';
import { KIND_NAMES, liveHref } from './status.ts';

export function RunTable({ runs, commands = false }: { runs: readonly Run[]; commands?: boolean }) {
  return (
    <Wide label="Runs, scrolls sideways" min={commands ? 760 : 620}>
      <Table highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Run</Table.Th>
            <Table.Th>Phase</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Created</Table.Th>
            <Table.Th ta="right">Work</Table.Th>
            <Table.Th ta="right">Models</Table.Th>
            <Table.Th ta="right">Champion</Table.Th>
            {commands && <Table.Th>Commands</Table.Th>}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {runs.map((run) => (
            <Table.Tr key={run.id}>
              <Table.Td>
                <Anchor component={Link} href={commands ? `/runs/${run.id}` : liveHref(run)} size="sm">
                  {run.name}
                </Anchor>
              </Table.Td>
              <Table.Td>{KIND_NAMES[run.kind]}</Table.Td>
              <Table.Td>
                <StatusMark status={run.status} />
              </Table.Td>
              <Table.Td style={{ whiteSpace: 'nowrap' }}>{stamp(run.created_at)}</Table.Td>
              <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>
                {run.busy_seconds > 0 ? duration(run.busy_seconds) : '–'}
              </Table.Td>
              <Table.Td ta="right">{run.model_ids.length || '–'}</Table.Td>
              <Table.Td ta="right">
                {run.champion_fitness === null ? '–' : figure(run.champion_fitness)}
              </Table.Td>
              {commands && (
                <Table.Td>
                  <RunCommands run={run} size="compact-xs" />
                </Table.Td>
              )}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Wide>
  );
}
