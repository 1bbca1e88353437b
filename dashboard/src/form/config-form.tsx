import { SimpleGrid, Stack, Title } from '@mantine/core';
import { FieldInput } from './field-input.tsx';
import type { Field } from './schema.ts';

export type Values = Readonly<Record<string, unknown>>;

export interface FieldGroup {
  title: string;
  names: readonly string[];
}

interface ConfigFormProps {
  fields: readonly Field[];
  /** How the fields are ordered on the page. One that no group names comes last, so that a new one is never lost. */
  groups: readonly FieldGroup[];
  values: Values;
  onChange: (values: Values) => void;
  errors: ReadonlyMap<string, string>;
  /** Put before every name in `errors`, such as `cognate.`. */
  prefix?: string;
  chosen?: Values | undefined;
  options?: Readonly<Record<string, readonly string[]>>;
}

/** A form made from the contract's schema; it holds only what the user has set. */
export function ConfigForm(props: ConfigFormProps) {
  const { fields, groups } = props;
  const named = new Set(groups.flatMap(({ names }) => names));
  const rest = fields.filter(({ name }) => !named.has(name)).map(({ name }) => name);
  const all = rest.length > 0 ? [...groups, { title: 'More', names: rest }] : groups;
  return (
    <Stack gap="lg">
      {all.map(({ title, names }) => (
        <section key={title} aria-label={title}>
          {all.length > 1 && (
            <Title order={3} size={13} c="dimmed" mb={8}>
              {title}
            </Title>
          )}
          <FieldGrid {...props} names={names} />
        </section>
      ))}
    </Stack>
  );
}

export function FieldGrid({
  fields,
  names,
  values,
  onChange,
  errors,
  prefix = '',
  chosen,
  options,
}: Omit<ConfigFormProps, 'groups'> & { names: readonly string[] }) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md" verticalSpacing="md">
      {names.map((name) => {
        const field = fields.find((candidate) => candidate.name === name);
        if (!field) return null;
        return (
          <FieldInput
            key={name}
            field={field}
            path={prefix + name}
            value={values[name]}
            onChange={(value) => onChange(withValue(values, name, value))}
            errors={errors}
            chosen={chosen?.[name]}
            options={options?.[name]}
          />
        );
      })}
    </SimpleGrid>
  );
}

function withValue(values: Values, name: string, value: unknown): Values {
  const { [name]: _, ...others } = values;
  return value === undefined ? others : { ...others, [name]: value };
}
