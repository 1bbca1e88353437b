/** The gateway's OpenAPI document: gateway.yaml and what it takes from backend.json, bundled into one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { root } from '../root.js';

export type Schema = Record<string, unknown>;
export type Operation = {
  operationId: string;
  security?: unknown[];
  parameters?: Schema[];
  requestBody?: { required?: boolean; content: Record<string, { schema: Schema }> };
  responses: Record<string, Schema>;
};
export type Specification = {
  openapi: string;
  info: { version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; [section: string]: Record<string, Schema> };
};

const FOREIGN = './backend.json#/components/schemas/';
const OWN = '#/components/schemas/';

/**
 * Reads both files. References are rewritten and not resolved, since recipes are recursive.
 * Throws where both files declare a schema of the same name: the bundle would be ambiguous.
 */
export function loadSpecification(directory = join(root, 'openapi')): Specification {
  const gateway = parse(readFileSync(join(directory, 'gateway.yaml'), 'utf8'), {
    merge: true,
  }) as Specification;
  const backend = JSON.parse(readFileSync(join(directory, 'backend.json'), 'utf8')) as Specification;
  for (const name of Object.keys(gateway.components.schemas)) {
    if (name in backend.components.schemas) throw new Error(`schema ${name} is declared twice`);
  }
  const own = mapReferences(gateway, (reference) => reference.replace(FOREIGN, OWN));
  const bundle: Specification = {
    ...own,
    components: { ...own.components, schemas: { ...backend.components.schemas, ...own.components.schemas } },
  };
  for (const key of Object.keys(bundle)) if (key.startsWith('x-')) delete (bundle as Schema)[key];
  return bundle;
}

/**
 * The same without discriminators: validators read them in ways that pydantic's (several values to one
 * schema, `const` without `type`) do not fit, and each alternative's own `const` decides as well. Defaults of
 * schemas go too, since the validator would write them into bodies: filling them in is the backend's affair.
 * Those of parameters stay.
 */
export function forValidation(specification: Specification): Specification {
  const bare = without(specification, (key, value) => key === 'discriminator' && isDiscriminator(value));
  const schemas = Object.entries(bare.components.schemas).map(([name, schema]) => [
    name,
    // A property that is called `default` holds a schema, a keyword never holds one of ours.
    without(schema, (key, value) => key === 'default' && !(isObject(value) && 'type' in value)),
  ]);
  return { ...bare, components: { ...bare.components, schemas: Object.fromEntries(schemas) } };
}

function without<T>(value: T, drop: (key: string, value: unknown) => boolean): T {
  return JSON.parse(JSON.stringify(value, (key, item: unknown) => (drop(key, item) ? undefined : item))) as T;
}

/** What a reference within the document points to. */
export function resolve(specification: Specification, schema: Schema): Schema {
  const seen = new Set<unknown>();
  let found = schema;
  while (typeof found.$ref === 'string' && !seen.has(found)) {
    seen.add(found);
    found = found.$ref
      .split('/')
      .slice(1)
      .reduce<Schema>((value, part) => value[part] as Schema, specification as unknown as Schema);
  }
  return found;
}

function isDiscriminator(value: unknown): boolean {
  return isObject(value) && 'propertyName' in value;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function mapReferences<T>(value: T, change: (reference: string) => string): T {
  return JSON.parse(
    JSON.stringify(value, (key, item: unknown) =>
      key === '$ref' && typeof item === 'string' ? change(item) : item,
    ),
  ) as T;
}
