import { isAbsolute, resolve as resolvePath } from 'node:path';
import { allowedOf, type Flag } from './flags.js';
import { allowed, type Schema } from './schema.js';

/** Something that the person typed is wrong: one line, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What is asked of the command itself, beside the configuration. */
export type Options = {
  help: boolean;
  json: boolean;
  url: string | undefined;
  token: string | undefined;
  idempotencyKey: string | undefined;
  /** Candidates to rebuild as proof. */
  proofs: number;
};

export type Parsed = { options: Options; config: PlainConfig };

/** A PipelineConfig in the making: only what was asked for, the backend fills in the rest. */
export type PlainConfig = { cognate: Record<string, unknown>; evomerge: Record<string, unknown> | null };

type Own = { [name: string]: { value?: string; about: string } };

/** The command's own options, for the parser and for --help. */
export const OWN_OPTIONS: Own = {
  help: { about: 'this text' },
  json: { about: 'print the report as one JSON object on the last line of stdout' },
  proofs: { value: 'N', about: 'candidates to rebuild from their recipes as proof, 0 to 1000, default 10' },
  'idempotency-key': {
    value: 'KEY',
    about: 'name of this order: the same key and flags again take up the same run instead of a new one',
  },
  url: {
    value: 'URL',
    about: 'a gateway that runs already; without it: the one of this checkout, else one is started',
  },
  token: { value: 'TOKEN', about: 'its token; without it: GATEWAY_TOKEN, else the one of this checkout' },
};

const MAX_PROOFS = 1000;

/** @param cwd where relative `file:` datasets start */
export function parseArguments(argv: string[], flags: Flag[], cwd: string): Parsed {
  const byName = new Map(flags.map((flag) => [flag.name, flag]));
  const own = new Map<string, string>();
  const given = new Map<Flag, string[]>();
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (!word.startsWith('--'))
      throw new UsageError(`${word}: not a flag; all flags: npm run forge -- --help`);
    const [name = '', inline] = splitOnce(word.slice(2), '=');
    const flag = byName.get(name);
    const negated = name.startsWith('no-') ? byName.get(name.slice(3)) : undefined;
    const option = OWN_OPTIONS[name];
    if (flag?.shape === 'switch' || negated?.shape === 'switch') {
      const target = flag ?? negated;
      if (target) given.set(target, [negated ? 'false' : (inline ?? 'true')]);
    } else if (option && option.value === undefined) {
      if (inline !== undefined) throw new UsageError(`--${name} takes no value`);
      own.set(name, 'true');
    } else if (flag || option) {
      const value = inline ?? rest.shift();
      if (value === undefined || (inline === undefined && value.startsWith('--'))) {
        throw new UsageError(`--${name} needs a value: ${flag ? allowedOf(flag) : option?.value}`);
      }
      if (flag) given.set(flag, flag.shape === 'value' ? [value] : [...(given.get(flag) ?? []), value]);
      else own.set(name, value);
    } else {
      throw new UsageError(
        `--${name}: no such flag${suggestion(name, [...byName.keys(), ...Object.keys(OWN_OPTIONS)])}`,
      );
    }
  }
  return { options: readOptions(own), config: readConfig(given, cwd) };
}

function readOptions(own: Map<string, string>): Options {
  const proofs = Number(own.get('proofs') ?? 10);
  if (!Number.isInteger(proofs) || proofs < 0 || proofs > MAX_PROOFS) {
    throw new UsageError(`--proofs ${own.get('proofs')}: must be 0 to ${MAX_PROOFS}`);
  }
  const url = own.get('url');
  if (url !== undefined && !/^https?:\/\//.test(url))
    throw new UsageError(`--url ${url}: must start with http:// or https://`);
  return {
    help: own.has('help'),
    json: own.has('json'),
    url,
    token: own.get('token'),
    idempotencyKey: own.get('idempotency-key'),
    proofs,
  };
}

function readConfig(given: Map<Flag, string[]>, cwd: string): PlainConfig {
  const cognate: Record<string, unknown> = {};
  const evomerge: Record<string, unknown> = {};
  const config = { cognate, evomerge };
  // A flag for one phase wins over the one for both, whatever their order.
  const ordered = [...given].sort(([a], [b]) => Number(b.group === 'both') - Number(a.group === 'both'));
  let breeds = true;
  for (const [flag, texts] of ordered) {
    if (flag.name === 'generations' && texts[0] === '0') {
      breeds = false;
      continue;
    }
    const value = readValue(flag, texts, cwd);
    for (const path of flag.paths) assign(config, path, value);
  }
  return breeds ? config : { cognate, evomerge: null };
}

function readValue(flag: Flag, texts: string[], cwd: string): unknown {
  if (flag.nullable && texts.length === 1 && texts[0] === 'null') return null;
  switch (flag.shape) {
    case 'switch':
      return readSwitch(flag, texts[0] ?? '');
    case 'value':
      return readScalar(flag, texts[0] ?? '', cwd);
    case 'list': {
      const values = texts.flatMap((text) => text.split(',')).filter((text) => text !== '');
      return limited(
        flag,
        values.map((text) => readScalar(flag, text.trim(), cwd)),
      );
    }
    case 'mixture':
      return limited(
        flag,
        texts.map((text) => readChoice(flag, text, cwd)),
      );
    default:
      return flag.shape satisfies never;
  }
}

function readSwitch(flag: Flag, text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new UsageError(`--${flag.name} ${text}: must be true or false`);
}

function readScalar(flag: Flag, text: string, cwd: string): unknown {
  const { schema } = flag;
  const numeric = schema.type === 'integer' || schema.type === 'number';
  const value = numeric ? Number(text) : absoluteFile(text, cwd);
  if (text === '' || !fits(schema, value))
    throw new UsageError(`--${flag.name} ${text}: must be ${allowedOf(flag)}`);
  return value;
}

function fits(schema: Schema, value: string | number): boolean {
  if (schema.enum) return schema.enum.includes(value);
  if (schema.const !== undefined) return schema.const === value;
  if (typeof value === 'string') {
    if (schema.pattern && !new RegExp(schema.pattern).test(value)) return false;
    return (
      value.length >= (schema.minLength ?? 0) &&
      value.length <= (schema.maxLength ?? Number.POSITIVE_INFINITY)
    );
  }
  return (
    Number.isFinite(value) &&
    (schema.type !== 'integer' || Number.isSafeInteger(value)) &&
    value >= (schema.minimum ?? Number.NEGATIVE_INFINITY) &&
    value <= (schema.maximum ?? Number.POSITIVE_INFINITY) &&
    value > (schema.exclusiveMinimum ?? Number.NEGATIVE_INFINITY) &&
    value < (schema.exclusiveMaximum ?? Number.POSITIVE_INFINITY)
  );
}

/** `name` or `name=weight`; a `=` inside the name is kept where no number follows the last one. */
function readChoice(flag: Flag, text: string, cwd: string): { name: string; weight?: number } {
  const match = /^(.+)=([-+.\deE]+)$/s.exec(text);
  const weight = match ? Number(match[2]) : undefined;
  const weighted = match !== null && !Number.isNaN(weight);
  const name = weighted ? (match[1] ?? '') : text;
  const { name: nameSchema = {}, weight: weightSchema = {} } = flag.schema.properties ?? {};
  if (weighted && !fits(weightSchema, weight ?? 0)) {
    throw new UsageError(`--${flag.name} ${text}: the weight must be ${allowed(weightSchema)}`);
  }
  const absolute = absoluteFile(name, cwd);
  if (!fits(nameSchema, absolute)) throw new UsageError(`--${flag.name} ${text}: must be ${allowedOf(flag)}`);
  return weighted && weight !== undefined ? { name: absolute, weight } : { name: absolute };
}

/** The backend's working directory is not the caller's. */
function absoluteFile(text: string, cwd: string): string {
  if (!text.startsWith('file:')) return text;
  const path = text.slice('file:'.length);
  return isAbsolute(path) ? text : `file:${resolvePath(cwd, path)}`;
}

function limited<T>(flag: Flag, values: T[]): T[] {
  const { minItems = 0, maxItems = Number.POSITIVE_INFINITY } = flag.list;
  if (values.length >= minItems && values.length <= maxItems) return values;
  throw new UsageError(`--${flag.name}: ${values.length} values, must be ${minItems} to ${maxItems}`);
}

function assign(target: Record<string, unknown>, [key = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    target[key] = value;
    return;
  }
  target[key] ??= {};
  assign(target[key] as Record<string, unknown>, rest, value);
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

function suggestion(name: string, names: string[]): string {
  const [best] = names.map((known) => ({ known, far: distance(name, known) })).sort((a, b) => a.far - b.far);
  return best && best.far <= Math.max(2, name.length / 3)
    ? `; did you mean --${best.known}?`
    : '; all flags: npm run forge -- --help';
}

/** Levenshtein distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      next.push(
        Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)),
      );
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
