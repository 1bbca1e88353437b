/** What a schema allows, in words for people: `0 to 1`, `one of nano, tinytitan, wide`. */
import { resolve, type Schema, type Specification } from './specification.js';

/** The schema at a path of property names and indices below `schema`; undefined where it leads nowhere. */
export function schemaAt(
  specification: Specification,
  schema: Schema,
  path: readonly string[],
): Schema | undefined {
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

export function allowed(specification: Specification, schema: Schema): string | undefined {
  const here = resolve(specification, schema);
  if (Array.isArray(here.enum)) return `one of ${here.enum.join(', ')}`;
  if ('const' in here) return String(here.const);
  const alternatives = branches(here)
    .map((branch) => allowed(specification, branch))
    .filter((text) => text !== undefined);
  if (alternatives.length > 0) return [...new Set(alternatives)].join(' or ');
  const type = Array.isArray(here.type) ? here.type.join(' or ') : (here.type as string | undefined);
  const words = [
    type,
    range(here),
    span('characters', here.minLength, here.maxLength),
    span('items', here.minItems, here.maxItems),
    here.pattern ? `matching ${String(here.pattern)}` : undefined,
  ].filter((word) => word !== undefined);
  if (isSchema(here.properties) && here.additionalProperties === false) {
    words.push(`with ${Object.keys(here.properties).join(', ')}`);
  }
  return words.length > 0 ? words.join(', ') : undefined;
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): string | undefined {
  const low = minimum ?? (exclusiveMinimum === undefined ? undefined : `more than ${exclusiveMinimum}`);
  const high = maximum ?? (exclusiveMaximum === undefined ? undefined : `less than ${exclusiveMaximum}`);
  if (low !== undefined && high !== undefined) return `${low} to ${high}`;
  if (low !== undefined) return minimum === undefined ? String(low) : `at least ${low}`;
  if (high !== undefined) return maximum === undefined ? String(high) : `at most ${high}`;
  return undefined;
}

function span(unit: string, least: unknown, most: unknown): string | undefined {
  if (least === undefined && most === undefined) return undefined;
  if (most === undefined) return `at least ${least} ${unit}`;
  return least === undefined ? `at most ${most} ${unit}` : `${least} to ${most} ${unit}`;
}

function branches(schema: Schema): Schema[] {
  return ['allOf', 'anyOf', 'oneOf'].flatMap((key) => (schema[key] as Schema[] | undefined) ?? []);
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null;
}
