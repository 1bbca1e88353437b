import { Anchor, Stack, Table, Text } from '@mantine/core';
import { Link } from 'wouter';
import { baselineName, rivalsOf } from '../../../openapi/rivals.ts';
import type { EvoMergeReport, Fitness, Run } from '../api/schema.ts';
import { bytes, count, figure, percent } from '../format/number.ts';
import { duration } from '../format/time.ts';
import { ModelName } from '../models/model-name.tsx';
import { Verify } from '../models/verify.tsx';
import { Panel } from '../shell/panel.tsx';
import { Wide } from '../shell/scroll-frame.tsx';
import { faultText } from './faults.ts';

const STOPPED: Record<NonNullable<EvoMergeReport['stopped_by']>, string> = {
  generations: 'all generations bred',
  patience: 'no gain for as long as the patience allows',
  cancelled: 'cancelled',
};

/** Every score of the champion and of all that it is compared with, and where the time went. */
export function Outcome({ report, run }: { report: EvoMergeReport; run: Run }) {
  const { champion, champion_heldout, timings, stopped_by } = report;
  const { merge, parent, others } = rivalsOf(report.baselines, champion_heldout ? 'heldout' : 'selection');
  return (
    <Panel title="All baselines" note={stopped_by ? STOPPED[stopped_by] : 'so far'}>
      <Stack gap="md">
        <Wide label="Table of the champion and its baselines" min={960}>
          <Table fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Model</Table.Th>
                <Table.Th ta="right">Parameters</Table.Th>
                <Table.Th ta="right">Tensor bytes</Table.Th>
                <Table.Th ta="right">Fitness</Table.Th>
                <Table.Th ta="right">Accuracy</Table.Th>
                <Table.Th ta="right">Depth</Table.Th>
                <Table.Th ta="right">Held-out fitness</Table.Th>
                <Table.Th ta="right">Held-out accuracy</Table.Th>
                <Table.Th ta="right">Held-out depth</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {merge && <BaselineRow baseline={merge} />}
              {champion && (
                <Row
                  name="Champion"
                  modelId={report.champion_model_id}
                  parameters={champion.parameters}
                  size={champion.bytes}
                  selection={champion.fitness}
                  heldout={champion_heldout}
                  faults={[null, report.champion_heldout_fault]}
                  strong
                />
              )}
              {[...(parent ? [parent] : []), ...others].map((baseline) => (
                <BaselineRow key={baseline.name} baseline={baseline} />
              ))}
            </Table.Tbody>
          </Table>
        </Wide>
        {run.champion_model_id && <Verify kind="model" id={run.champion_model_id} />}
        {timings.total > 0 && (
          <Text size="sm" c="dimmed">
            {duration(timings.total)} in all
            {Object.entries(timings.parts).map(
              ([part, seconds]) => ` · ${part.replaceAll('_', ' ')} ${duration(seconds)}`,
            )}
            {timings.nodes.map(
              ({ name, busy, waited }) =>
                ` · on ${name} ${duration(busy)}, after ${duration(waited)} in its queue`,
            )}
          </Text>
        )}
      </Stack>
    </Panel>
  );
}

function BaselineRow({ baseline }: { baseline: EvoMergeReport['baselines'][number] }) {
  return (
    <Row
      name={baselineName(baseline)}
      modelId={baseline.model_id}
      parameters={baseline.parameters}
      size={baseline.bytes}
      selection={baseline.selection}
      heldout={baseline.heldout}
      faults={[baseline.fault, baseline.heldout_fault]}
    />
  );
}

type Fault = NonNullable<EvoMergeReport['champion_heldout_fault']>;

interface RowProps {
  name: string;
  modelId: string | null;
  parameters: number;
  size: number;
  selection: Fitness;
  heldout: Fitness | null;
  /** Why scores are missing, on the selection and on the held-out problems. */
  faults: readonly (Fault | null | undefined)[];
  strong?: boolean;
}

function Row({ name, modelId, parameters, size, selection, heldout, faults, strong = false }: RowProps) {
  return (
    <Table.Tr style={strong ? { fontWeight: 650, background: 'var(--ember-soft)' } : {}}>
      <Table.Td style={{ overflowWrap: 'anywhere', minWidth: 200 }}>
        {modelId ? (
          <Anchor component={Link} href={`/models/${modelId}`} size="sm" inherit>
            <ModelName name={name} />
          </Anchor>
        ) : (
          name
        )}
        {[...new Set(faults.flatMap((fault) => (fault ? [faultText(fault)] : [])))].map((message) => (
          <Text key={message} size="xs" c="var(--bad)">
            No scores: {message}
          </Text>
        ))}
      </Table.Td>
      <Table.Td ta="right">{count(parameters)}</Table.Td>
      <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>
        {bytes(size)}
      </Table.Td>
      <Scores fitness={faults[0] ? null : selection} />
      <Scores fitness={heldout} />
    </Table.Tr>
  );
}

/** A fitness, always beside what it may have cost. */
function Scores({ fitness }: { fitness: Fitness | null }) {
  return (
    <>
      <Table.Td ta="right">{figure(fitness?.total ?? null)}</Table.Td>
      <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>
        {percent(fitness?.accuracy ?? null, 1)}
      </Table.Td>
      <Table.Td ta="right">{fitness?.mean_depth?.toFixed(2) ?? '–'}</Table.Td>
    </>
  );
}
