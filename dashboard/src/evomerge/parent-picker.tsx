import { Anchor, Checkbox, Table, Text } from '@mantine/core';
import { Link } from 'wouter';
import type { Model } from '../api/schema.ts';
import { count, percent } from '../format/number.ts';
import { stamp } from '../format/time.ts';
import { useModels } from '../live/hooks.ts';
import { ModelName } from '../models/model-name.tsx';
import { stageName } from '../runs/status.ts';
import { Wide } from '../shell/scroll-frame.tsx';
import { Waiting } from '../shell/waiting.tsx';

interface ParentPickerProps {
  chosen: readonly string[];
  onChange: (ids: string[]) => void;
}

/** Registered models to breed from. Once one is chosen, those of another architecture cannot be. */
export function ParentPicker({ chosen, onChange }: ParentPickerProps) {
  const models = useModels();
  if (!models) return <Waiting for="the models" />;
  if (models.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        No model is registered yet.{' '}
        <Anchor component={Link} href="/cognate" size="sm">
          Train parents first
        </Anchor>
        .
      </Text>
    );
  }
  const first = models.find(({ id }) => id === chosen[0]);
  return (
    <div style={{ maxHeight: 340, overflowY: 'auto' }}>
      <Wide label="Models to choose from" min={420}>
        <Table verticalSpacing={5}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Model</Table.Th>
              <Table.Th ta="right">Parameters</Table.Th>
              <Table.Th ta="right">Mean accuracy</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {models.map((model) => {
              const here = chosen.includes(model.id);
              const fits = !first || sameArchitecture(first, model);
              return (
                <Table.Tr key={model.id}>
                  <Table.Td style={{ minWidth: 220, overflowWrap: 'anywhere' }}>
                    <Checkbox
                      label={<ModelName name={model.name} />}
                      description={`${stageName(model.specialization ?? model.kind)} · ${stamp(model.created_at)}`}
                      checked={here}
                      disabled={!fits && !here}
                      onChange={() =>
                        onChange(here ? chosen.filter((id) => id !== model.id) : [...chosen, model.id])
                      }
                    />
                  </Table.Td>
                  <Table.Td ta="right">{count(model.parameters)}</Table.Td>
                  <Table.Td ta="right">{accuracy(model)}</Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </Wide>
    </div>
  );
}

function sameArchitecture({ architecture: a }: Model, { architecture: b }: Model): boolean {
  if (a?.kind === 'causal_lm' || b?.kind === 'causal_lm' || !a || !b) return false;
  // Models of the time before there were kinds name none.
  const { kind: _, ...shape } = a;
  const fields = Object.keys(shape) as (keyof typeof shape)[];
  return fields.every((field) => a[field] === b[field]);
}

function accuracy({ metrics }: Model): string {
  const values = Object.entries(metrics).flatMap(([name, value]) =>
    name.startsWith('accuracy/') ? [value] : [],
  );
  return values.length === 0 ? '–' : percent(values.reduce((sum, value) => sum + value, 0) / values.length);
}
