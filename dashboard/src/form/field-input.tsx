import {
  Checkbox,
  Fieldset,
  Group,
  NativeSelect,
  NumberInput,
  SimpleGrid,
  Switch,
  TextInput,
} from '@mantine/core';
import { DatasetRows } from './dataset-rows.tsx';
import { ListInput } from './list-input.tsx';
import { type Field, propertiesOf, rangeOf, resolve } from './schema.ts';

interface FieldInputProps {
  field: Field;
  /** Dotted path of the field in the request, as problems name it. */
  path: string;
  /** Undefined where the user has not touched it. */
  value: unknown;
  onChange: (value: unknown) => void;
  /** Dotted path → what the server says of it. */
  errors: ReadonlyMap<string, string>;
  /** The value that null stands for, once the forecast has named it. */
  chosen?: unknown;
  /** Choices of an open list of names, from the catalogue. */
  options?: readonly string[] | undefined;
}

/** One input, as the field's schema asks. */
export function FieldInput({ field, path, value, onChange, errors, chosen, options }: FieldInputProps) {
  const { schema, nullable, label } = field;
  const shown = value === undefined ? field.default : value;
  const range = rangeOf(schema);
  const error = errors.get(path) ?? [...errors].find(([name]) => name.startsWith(`${path}.`))?.[1];
  // Only one value is allowed: the form shows it and does not ask for it.
  const fixed =
    schema.const !== undefined || (schema.minimum !== undefined && schema.minimum === schema.maximum);
  const common = {
    label,
    description: range ? `${plain(field.description)} · ${range}` : plain(field.description),
    error,
    name: path,
    ...(fixed ? { readOnly: true, variant: 'filled' } : {}),
  };
  if (schema.enum) {
    return (
      <NativeSelect
        {...common}
        data={schema.enum.map((name) => ({ value: name, label: words(name) }))}
        value={String(shown)}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    );
  }
  switch (schema.type) {
    case 'integer':
    case 'number':
      return (
        <NumberInput
          {...common}
          value={shown === null ? '' : (shown as number)}
          onChange={(next) => onChange(next === '' ? (nullable ? null : undefined) : next)}
          allowDecimal={schema.type === 'number'}
          allowNegative={(schema.minimum ?? schema.exclusiveMinimum ?? 0) < 0}
          thousandSeparator=","
          hideControls={fixed}
          step={schema.type === 'integer' ? 1 : stepFor(shown)}
          placeholder={
            nullable ? (typeof chosen === 'number' ? `by preset: ${chosen}` : emptyMeaning(field)) : undefined
          }
        />
      );
    case 'boolean':
      return (
        <Switch
          {...common}
          checked={Boolean(shown)}
          onChange={(event) => onChange(event.currentTarget.checked)}
          mt={6}
        />
      );
    case 'array': {
      const items = schema.items ? resolve(schema.items) : {};
      const list = (shown ?? []) as unknown[];
      if (items.properties) {
        return (
          <DatasetRows
            {...common}
            path={path}
            value={list as { name: string; weight?: number }[]}
            onChange={(next) => onChange(next.length === 0 && nullable ? null : next)}
            errors={errors}
            emptyText={nullable ? emptyMeaning(field) : ''}
            maxRows={schema.maxItems ?? 32}
          />
        );
      }
      const choices = items.enum ?? options;
      if (choices) {
        return (
          <Checkbox.Group
            label={label}
            description={list.length === 0 ? emptyMeaning(field) || common.description : common.description}
            error={error}
            value={list as string[]}
            onChange={(next) => onChange(choices.filter((name) => next.includes(name)))}
          >
            <Group gap="xs" my={6}>
              {choices.map((name) => (
                <Checkbox key={name} size="xs" value={name} label={words(name)} />
              ))}
            </Group>
          </Checkbox.Group>
        );
      }
      return (
        <ListInput
          {...common}
          list={list}
          kind={items.type === 'integer' || items.type === 'number' ? items.type : 'string'}
          placeholder={nullable ? emptyMeaning(field) : ''}
          onChange={(next) => onChange(next.length === 0 && nullable ? null : next)}
        />
      );
    }
    case 'object':
      return (
        <Fieldset legend={label} variant="default" radius="md">
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
            {propertiesOf(schema).map((inner) => (
              <FieldInput
                key={inner.name}
                field={inner}
                path={`${path}.${inner.name}`}
                value={(shown as Record<string, unknown> | null)?.[inner.name]}
                onChange={(next) => onChange({ ...(shown as object | null), [inner.name]: next })}
                errors={errors}
              />
            ))}
          </SimpleGrid>
        </Fieldset>
      );
    default:
      return (
        <TextInput
          {...common}
          value={(shown as string | null) ?? ''}
          onChange={(event) =>
            onChange(event.currentTarget.value === '' && nullable ? null : event.currentTarget.value)
          }
          maxLength={schema.maxLength}
          placeholder={nullable ? emptyMeaning(field) : ''}
        />
      );
  }
}

/** The contract's descriptions speak to programs too: a person leaves a field empty instead of sending null. */
const plain = (description: string): string => description.replaceAll('`', '').replaceAll('null:', 'empty:');

const words = (name: string): string => name.replaceAll('_', ' ');

/** What leaving the field empty means, in the contract's own words: `… ; null: by preset`, `empty: all that fit`. */
function emptyMeaning({ description }: Field): string {
  return /(?:null|empty): ([^;]+)$/.exec(description.replaceAll('`', ''))?.[1] ?? '';
}

function stepFor(value: unknown): number {
  const size = typeof value === 'number' && value > 0 ? value : 1;
  return 10 ** Math.floor(Math.log10(size));
}
