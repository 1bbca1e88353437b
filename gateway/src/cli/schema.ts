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
  const { minimum, exclusiveMinimum, exclusiveMaximum } = schema;
  const maximum = schema.maximum === Number.MAX_SAFE_INTEGER ? undefined : schema.maximum;
  if (minimum !== undefined && maximum !== undefined) {
    return minimum === maximum ? `${minimum}` : `${minimum} to ${maximum}`;
  }
  const limits = [
    minimum === undefined ? undefined : `at least ${minimum}`,
    exclusiveMinimum === undefined ? undefined : `more than ${exclusiveMinimum}`,
    maximum === undefined ? undefined : `at most ${maximum}`,
    exclusiveMaximum === undefined ? undefined : `less than ${exclusiveMaximum}`,
  ].filter((limit) => limit !== undefined);
  if (limits.length > 0) return limits.join(' and ');
  if (schema.pattern) return `text matching ${schema.pattern}`;
  return '';
}
