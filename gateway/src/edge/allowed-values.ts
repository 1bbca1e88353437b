/**
 * What a schema allows, in words: `integer, 1 to 5`, `one of nano, tinytitan, wide`. The backend says the same in the
 * same words (`api/allowed_values.py`): tests/openapi/allowed-values.json binds both. The forms share `rangeInWords`.
 */
import { rangeInWords } from '../../../openapi/range.js';
import { resolve, type Schema, type Specification } from './specification.js';

/**
 * What is allowed at a path of property names and indices below `schema`; where there is no such field, the names of
 * those that there are. Undefined where the specification says nothing of it.
 */
export function allowedAt(
  specification: Specification,
  schema: Schema,
  path: readonly string[],
): string | undefined {
  const found = schemaAt(specification, schema, path);
  if (found) return allowed(specification, found);
  const parent = schemaAt(specification, schema, path.slice(0, -1));
  const names = parent ? fieldsOf(specification, parent) : [];
  return names.length > 0 ? `one of ${names.join(', ')}` : undefined;
}

function schemaAt(specification: Specification, schema: Schema, path: readonly string[]): Schema | undefined {
  const here = resolve(specification, schema);
  const [head, ...rest] = path;
  if (head === undefined) return here;
  const next = [
    isSchema(here.properties) && Object.hasOwn(here.properties, head)
      ? (here.properties[head] as Schema)
      : undefined,
    /^\d+$/.test(head) ? (here.items as Schema | undefined) : undefined,
    isSchema(here.additionalProperties) ? here.additionalProperties : undefined,
  ].find((candidate) => candidate !== undefined);
  if (next) return schemaAt(specification, next, rest);
  for (const branch of branches(here)) {
    const found = schemaAt(specification, branch, path);
    if (found) return found;
  }
  return undefined;
}

function fieldsOf(specification: Specification, schema: Schema): string[] {
  const here = resolve(specification, schema);
  const own = isSchema(here.properties) ? Object.keys(here.properties) : [];
  return [...new Set([...own, ...branches(here).flatMap((branch) => fieldsOf(specification, branch))])];
}

function allowed(specification: Specification, schema: Schema): string | undefined {
  const here = resolve(specification, schema);
  if (Array.isArray(here.enum)) return `one of ${here.enum.map(valueText).join(', ')}`;
  if ('const' in here) return valueText(here.const);
  const types = Array.isArray(here.type) ? (here.type as string[]) : null;
  const alternatives = types ? types.map((type) => ({ ...here, type })) : branches(here);
  if (alternatives.length > 0) {
    const words = alternatives.map((each) => allowed(specification, each));
    return [...new Set(words.filter((text) => text !== undefined))].join(' or ') || undefined;
  }
  const words = [here.type as string | undefined, ...limits(here)].filter((word) => word !== undefined);
  return words.length > 0 ? words.join(', ') : undefined;
}

/** The limits that have a meaning for the type. */
function limits(schema: Schema): (string | undefined)[] {
  switch (schema.type) {
    case 'integer':
    case 'number':
      return [rangeInWords(schema)];
    case 'string':
      return [
        span('character', schema.minLength, schema.maxLength),
        schema.pattern === undefined ? undefined : `matching ${String(schema.pattern)}`,
      ];
    case 'array':
      return [span('item', schema.minItems, schema.maxItems)];
    case 'object':
      return isSchema(schema.properties) && schema.additionalProperties === false
        ? [`with ${Object.keys(schema.properties).join(', ')}`]
        : [];
    default:
      return [];
  }
}

function span(unit: string, least: unknown, most: unknown): string | undefined {
  if (least === undefined && most === undefined) return undefined;
  const counted = (most ?? least) === 1 ? unit : `${unit}s`;
  if (most === undefined) return `at least ${least} ${counted}`;
  if (least === undefined) return `at most ${most} ${counted}`;
  return least === most ? `exactly ${least} ${counted}` : `${least} to ${most} ${counted}`;
}

const valueText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function branches(schema: Schema): Schema[] {
  return ['allOf', 'anyOf', 'oneOf'].flatMap((key) => (schema[key] as Schema[] | undefined) ?? []);
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null;
}
