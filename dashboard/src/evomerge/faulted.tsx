import { Anchor, NativeSelect, Stack, Table, Text } from '@mantine/core';
import { useState } from 'react';
import type { Candidate } from '../api/schema.ts';
import { count } from '../format/number.ts';
import { Panel } from '../shell/panel.tsx';
import { ScrollFrame } from '../shell/scroll-frame.tsx';
import { shortName } from './board.ts';
import { FAULT_KINDS, FAULTS, faultText } from './faults.ts';

const SHOWN = 200;

interface FaultedProps {
  /** The run's newest candidates. */
  candidates: readonly Candidate[];
  /** How many candidates of all complete generations have no scores. */
  total: number;
  onOpen: (candidate: string) => void;
}

/** The candidates that have no scores, and why; null where there are none. */
export function Faulted({ candidates, total, onOpen }: FaultedProps) {
  const [kind, setKind] = useState('');
  const faulted = candidates.flatMap(({ id, op, fault }) => (fault ? [{ id, op, fault }] : []));
  if (faulted.length === 0) return null;
  const found = faulted.filter(({ fault }) => kind === '' || fault.kind === kind);
  const kinds = FAULT_KINDS.filter((name) => faulted.some(({ fault }) => fault.kind === name));
  return (
    <Panel
      title="Candidates without scores"
      note={`${count(Math.max(total, faulted.length))} in all; they count in no mean, no rank and no chart`}
    >
      <Stack gap="sm">
        {kinds.length > 1 && (
          <NativeSelect
            label="Reason"
            data={[
              { value: '', label: 'Any' },
              ...kinds.map((name) => ({ value: name, label: FAULTS[name] })),
            ]}
            value={kind}
            onChange={(event) => setKind(event.currentTarget.value)}
            maw={360}
          />
        )}
        <ScrollFrame label="Table of candidates without scores" style={{ overflow: 'auto', maxHeight: 260 }}>
          <Table fz="sm" stickyHeader style={{ minWidth: 520 }}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Candidate</Table.Th>
                <Table.Th>Method</Table.Th>
                <Table.Th>Reason</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {found.slice(0, SHOWN).map(({ id, op, fault }) => (
                <Table.Tr key={id} style={{ verticalAlign: 'top' }}>
                  <Table.Td>
                    <Anchor component="button" type="button" size="sm" onClick={() => onOpen(id)}>
                      {shortName(id)}
                    </Anchor>
                  </Table.Td>
                  <Table.Td>{op}</Table.Td>
                  <Table.Td style={{ overflowWrap: 'anywhere' }}>{faultText(fault)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </ScrollFrame>
        {found.length > SHOWN && (
          <Text size="sm" c="dimmed">
            and {count(found.length - SHOWN)} more
          </Text>
        )}
      </Stack>
    </Panel>
  );
}
