import forms from '../../../openapi/forms.json' with { type: 'json' };
import { rangeInWords } from '../../../openapi/range.ts';

/** The part of JSON Schema 2020-12 that the contract's configurations use. */
export interface JsonSchema {
  $ref?: string;
  anyOf?: JsonSchema[];
  type?: string;
  enum?: string[];
  const?: unknown;
  default?: unknown;
  title?: string;
  description?: string;
  examples?: unknown[];
  items?: JsonSchema;
  properties?: Record<string, JsonSchema>;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minItems?: number;
  maxItems?: number;
  maxLength?: number;
  pattern?: string;
}

export interface Field {
  name: string;
  label: string;
  description: string;
  /** Null is a value of its own: the preset, or the run, chooses. */
  nullable: boolean;
  default: unknown;
  schema: JsonSchema;
}

type FormName = 'CognateConfig' | 'EvoMergeConfig' | 'EvoMergeSettings';

const definitions = forms.$defs as unknown as Record<string, JsonSchema>;

/** Follows references; what stands beside a reference (description, default) wins over what it points to. */
export function resolve(schema: JsonSchema): JsonSchema {
  if (!schema.$ref) return schema;
  const { $ref, ...beside } = schema;
  const name = $ref.slice($ref.lastIndexOf('/') + 1);
  const target = definitions[name];
  if (!target) throw new Error(`forms.json has no ${name}`);
  return { ...resolve(target), ...beside };
}

export function fieldsOf(form: FormName): Field[] {
  return propertiesOf(resolve({ $ref: `#/$defs/${form}` }));
}

export function propertiesOf(schema: JsonSchema): Field[] {
  return Object.entries(schema.properties ?? {}).map(([name, property]) => fieldOf(name, property));
}

function fieldOf(name: string, property: JsonSchema): Field {
  const whole = resolve(property);
  const choices = whole.anyOf?.map(resolve) ?? [];
  const nullable = choices.some(({ type }) => type === 'null');
  const schema = nullable ? (choices.find(({ type }) => type !== 'null') ?? whole) : whole;
  return {
    name,
    label: labelOf(name),
    description: whole.description ?? '',
    nullable,
    default: whole.default ?? null,
    schema: { ...schema },
  };
}

/** Parts of names that are written otherwise. */
const WORDS: Record<string, string> = {
  adamw: 'AdamW',
  eval: 'evaluation',
  heldout: 'held-out',
  id: 'id',
  muon: 'Muon',
  ops: 'merge methods',
};

function labelOf(name: string): string {
  const words = name.split('_').map((word) => WORDS[word] ?? word);
  const text = words.join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Limits beyond which nobody would go: the largest whole number that JavaScript knows, for one. */
const BOUNDLESS = 1e12;
const number = new Intl.NumberFormat('en', { maximumFractionDigits: 6 });

/** `0 to 1`, `8 to 10,000`; empty where the schema sets no limit worth showing, or allows only one value. */
export function rangeOf(schema: JsonSchema): string {
  const { maximum = Number.POSITIVE_INFINITY, ...lower } = schema;
  if (maximum === schema.minimum) return '';
  const limits = maximum > BOUNDLESS ? lower : schema;
  return rangeInWords(limits, (limit) => number.format(limit as number)) ?? '';
}
