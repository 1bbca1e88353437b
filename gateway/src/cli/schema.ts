import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../root.js';

/** The part of JSON Schema that the contract's forms use. */
export type Schema = {
  $ref?: string;
  anyOf?: Schema[];
  type?: string;
  enum?: (string | number)[];
  const?: string | number;
  items?: Schema;
  properties?: Record<string, Schema>;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  pattern?: string;
  default?: unknown;
  description?: string;
  /** Left out, breeding takes what its parents were made with. */
  'x-follows-parents'?: boolean;
};

export type Forms = { $defs: Record<string, Schema> };

/** The forms that the contract was exported with. */
export function loadForms(): Forms {
  return JSON.parse(readFileSync(join(root, 'openapi', 'forms.json'), 'utf8'));
}

/** A field's own schema without its references and its null: what a value must fit, and whether it may be null. */
export function resolve(forms: Forms, schema: Schema): { schema: Schema; nullable: boolean } {
  const { anyOf, $ref, ...own } = schema;
  if ($ref) {
    const target = forms.$defs[$ref.replace('#/$defs/', '')];
    if (!target) throw new Error(`the forms have no ${$ref}`);
    const inner = resolve(forms, target);
    return { ...inner, schema: { ...inner.schema, ...own } };
  }
  const options = anyOf?.filter((option) => option.type !== 'null') ?? [];
  const [only] = options;
  if (!anyOf || !only) return { schema, nullable: false };
  const inner = resolve(forms, only);
  return { schema: { ...inner.schema, ...own }, nullable: options.length < anyOf.length };
}

/** The values that a schema accepts, in words: `1 to 5`, `one of nano, tinytitan, wide`. Empty where anything goes. */
export function allowed(schema: Schema): string {
  if (schema.enum) return `one of ${schema.enum.join(', ')}`;
  if (schema.const !== undefined) return `${schema.const}`;
  const low = schema.minimum ?? schema.exclusiveMinimum;
  const high = schema.maximum ?? schema.exclusiveMaximum;
  if (low !== undefined && high !== undefined && low === high) return `${low}`;
  const above = schema.exclusiveMinimum === undefined ? '' : 'above ';
  const below = schema.exclusiveMaximum === undefined ? '' : 'below ';
  if (low !== undefined && high !== undefined) {
    return high === Number.MAX_SAFE_INTEGER ? `${above}${low} or more` : `${above}${low} to ${below}${high}`;
  }
  if (schema.pattern) return `like ${schema.pattern}`;
  return '';
}
