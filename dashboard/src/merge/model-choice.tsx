import { Anchor, Checkbox, Table, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import type { Model } from '../api/schema.ts';
import { bytes, short } from '../format/number.ts';
import { ModelName } from '../models/model-name.tsx';
import { stageName } from '../runs/status.ts';
import { ScrollFrame } from '../shell/scroll-frame.tsx';
import { misfit } from './composition.ts';

interface ModelChoiceProps {
  models: readonly Model[];
  chosen: readonly string[];
  onChange: (ids: string[]) => void;
}

/** So many that one looks for a name. */
const MANY = 8;

/** Registered models to merge. Those that cannot go with the first one say why. */
export function ModelChoice({ models, chosen, onChange }: ModelChoiceProps) {
  const [search, setSearch] = useState('');
  if (models.length === 0) {
    return (
      <Text size="sm" c="dimmed">
        No model is registered yet.{' '}
        <Anchor component={Link} href="/models" size="sm">
          Import a folder
        </Anchor>{' '}
        of the Hugging Face kind, or{' '}
        <Anchor component={Link} href="/cognate" size="sm">
          train parents
        </Anchor>
        .
      </Text>
    );
  }
  const first = models.find(({ id }) => id === chosen[0]);
  const shown = models.filter(
    ({ id, name }) => chosen.includes(id) || name.toLowerCase().includes(search.toLowerCase()),
  );
  return (
    <>
      {models.length > MANY && (
        <TextInput
          aria-label="Search"
          placeholder="part of a name"
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          maxLength={200}
          mb="xs"
        />
      )}
      <ScrollFrame label="Models to choose from" style={{ maxHeight: 320, overflowY: 'auto' }}>
        <Table verticalSpacing={6} layout="auto">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Model</Table.Th>
              <Table.Th ta="right">Parameters</Table.Th>
              <Table.Th ta="right" visibleFrom="xs">
                Size
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown.map((model) => {
              const here = chosen.includes(model.id);
              const against = first && !here ? misfit(model, first) : null;
              return (
                <Table.Tr key={model.id} style={against ? { opacity: 0.75 } : {}}>
                  <Table.Td style={{ overflowWrap: 'anywhere' }}>
                    <Checkbox
                      label={<ModelName name={model.name} />}
                      description={against ? `Does not fit: ${against}` : facts(model)}
                      checked={here}
                      disabled={against !== null}
                      onChange={() =>
                        onChange(here ? chosen.filter((id) => id !== model.id) : [...chosen, model.id])
                      }
                    />
                  </Table.Td>
                  <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>
                    {short(model.parameters)}
                  </Table.Td>
                  <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }} visibleFrom="xs">
                    {bytes(model.bytes)}
                  </Table.Td>
                </Table.Tr>
              );
            })}
          </Table.Tbody>
        </Table>
      </ScrollFrame>
    </>
  );
}

function facts({ architecture, tokenizer, specialization, kind }: Model): string {
  if (architecture?.kind !== 'causal_lm') return stageName(specialization ?? kind);
  const { model_type, layers, dtype } = architecture;
  const reads = tokenizer ? `${tokenizer.kind} tokenizer` : 'no tokenizer';
  return [model_type, `${layers} layers`, dtype, reads].join(' · ');
}
