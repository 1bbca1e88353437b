import { ActionIcon, Button, Group, Input, NumberInput, Stack, Text, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useId } from 'react';
import { datasets } from '../api/queries.ts';
import { percent } from '../format/number.ts';

interface Row {
  name: string;
  weight?: number;
}

interface DatasetRowsProps {
  label: string;
  description: string;
  error: string | undefined;
  path: string;
  value: readonly Row[];
  onChange: (value: Row[]) => void;
  errors: ReadonlyMap<string, string>;
  emptyText: string;
  maxRows: number;
}

/** A mixture: names with weights, and the share that each weight comes to. */
export function DatasetRows({
  label,
  description,
  path,
  value,
  onChange,
  errors,
  emptyText,
  maxRows,
}: DatasetRowsProps) {
  const known = useQuery(datasets);
  const id = useId();
  const total = value.reduce((sum, row) => sum + (row.weight ?? 1), 0);
  const put = (at: number, row: Row) => onChange(value.map((old, index) => (index === at ? row : old)));
  return (
    <fieldset aria-labelledby={id} style={{ border: 0, margin: 0, padding: 0, minWidth: 0 }}>
      <Input.Label id={id} component="div">
        {label}
      </Input.Label>
      <Input.Description mb={6}>{description}</Input.Description>
      <datalist id={`${id}-known`}>
        {known.data?.map(({ name }) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <Stack gap={6}>
        {value.map((row, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows have no identity but their place
          <Group key={at} gap={6} wrap="nowrap" align="flex-start">
            <TextInput
              aria-label={`Dataset ${at + 1}`}
              list={`${id}-known`}
              value={row.name}
              onChange={(event) => put(at, { ...row, name: event.currentTarget.value })}
              error={errors.get(`${path}.${at}.name`)}
              style={{ flex: 1 }}
              maxLength={512}
            />
            <NumberInput
              aria-label={`Weight of dataset ${at + 1}`}
              value={row.weight ?? 1}
              onChange={(weight) => typeof weight === 'number' && put(at, { ...row, weight })}
              error={errors.get(`${path}.${at}.weight`)}
              allowNegative={false}
              w={76}
            />
            <Text size="sm" c="dimmed" w={42} ta="right" lh="36px">
              {total > 0 ? percent((row.weight ?? 1) / total) : ''}
            </Text>
            <ActionIcon
              variant="subtle"
              color="gray"
              size={36}
              aria-label={`Remove dataset ${row.name || at + 1}`}
              onClick={() => onChange(value.filter((_, index) => index !== at))}
            >
              <IconX size={16} />
            </ActionIcon>
          </Group>
        ))}
        {value.length === 0 && emptyText && (
          <Text size="sm" c="dimmed">
            {emptyText}
          </Text>
        )}
        {errors.has(path) && (
          <Text size="sm" c="var(--bad)">
            {errors.get(path)}
          </Text>
        )}
        <Button
          variant="default"
          size="compact-sm"
          leftSection={<IconPlus size={14} />}
          onClick={() => onChange([...value, { name: '', weight: 1 }])}
          disabled={value.length >= maxRows}
          w="fit-content"
        >
          Add a dataset
        </Button>
      </Stack>
    </fieldset>
  );
}
