import { allowed, type Forms, resolve, type Schema } from './schema.js';

export type Phase = 'cognate' | 'evomerge';

/** One flag of the command line, made from one field of the contract. */
export type Flag = {
  /** Without the dashes. */
  name: string;
  group: Phase | 'both';
  /** Where the value goes in a PipelineConfig; two places where both phases have the field. */
  paths: string[][];
  shape: 'value' | 'switch' | 'list' | 'mixture';
  /** What one value must fit. */
  schema: Schema;
  /** Limits on the number of values of a list. */
  list: Schema;
  nullable: boolean;
  about: string;
  /** As in the contract; undefined where the field has none. */
  default: unknown;
};

type Field = { phase: Phase; path: string[]; schema: Schema };

/**
 * Every field of both phases as flags. A field that only one has is `--its-name`; one that both have is `--its-name`
 * for both and `--cognate-its-name` or `--evomerge-its-name` for one, unless breeding follows its parents anyway.
 */
export function flagsOf(forms: Forms): Flag[] {
  const fields = [
    ...fieldsOf(forms, 'cognate', 'CognateConfig'),
    ...fieldsOf(forms, 'evomerge', 'EvoMergeSettings'),
  ];
  const byName = groupBy(fields, (field) => field.path.join('.'));
  return [...byName.values()].flatMap((same) => {
    const [first, second] = same;
    if (!first) return [];
    if (!second) return [toFlag(forms, first, first.phase)];
    const shared: Flag = second.schema['x-follows-parents']
      ? toFlag(forms, first, 'both')
      : { ...toFlag(forms, first, 'both'), paths: same.map(place), ...describeBoth(first, second) };
    return [shared, ...same.map((field) => toFlag(forms, field, field.phase, `${field.phase}-`))];
  });
}

function fieldsOf(forms: Forms, phase: Phase, name: string): Field[] {
  const nested = (schema: Schema, path: string[]): Field[] =>
    Object.entries(schema.properties ?? {}).flatMap(([key, child]) => {
      const { schema: target } = resolve(forms, child);
      const here = [...path, key];
      return target.properties ? nested(target, here) : [{ phase, path: here, schema: child }];
    });
  return nested(forms.$defs[name] ?? {}, []);
}

function toFlag(forms: Forms, field: Field, group: Flag['group'], prefix = ''): Flag {
  const { schema, nullable } = resolve(forms, field.schema);
  const items = schema.items ? resolve(forms, schema.items).schema : undefined;
  const shape = items?.properties
    ? 'mixture'
    : items
      ? 'list'
      : schema.type === 'boolean'
        ? 'switch'
        : 'value';
  const name = `${prefix}${field.path.join('-').replaceAll('_', '-')}`;
  return {
    name: shape === 'mixture' ? name.replace(/s$/, '') : name,
    group,
    paths: [place(field)],
    shape,
    schema: items ?? schema,
    list: schema,
    nullable,
    about: schema.description ?? '',
    default: field.schema.default,
  };
}

const place = (field: Field) => [field.phase, ...field.path];

function describeBoth(first: Field, second: Field): Pick<Flag, 'about' | 'default'> {
  const same =
    first.schema.description === second.schema.description && first.schema.default === second.schema.default;
  const about = same
    ? first.schema.description
    : [first, second]
        .map(
          ({ phase, schema: { description, default: value } }) =>
            `${phase}: ${description}${value === undefined || value === null ? '' : `, default ${value}`}`,
        )
        .join('; ');
  return { about: about ?? '', default: same ? first.schema.default : undefined };
}

/** What may follow a flag, in words. */
export function allowedOf(flag: Flag): string {
  if (flag.shape === 'mixture') return 'a name, or name=weight';
  const values = allowed(flag.schema) || typeName(flag.schema);
  return flag.shape === 'list' ? `comma-separated, each ${values}` : values;
}

function typeName({ type }: Schema): string {
  if (type === 'integer') return 'a whole number';
  if (type === 'number') return 'a number';
  return 'text';
}

function groupBy<T>(items: T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}
