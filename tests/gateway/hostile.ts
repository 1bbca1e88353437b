/** Bodies of about one MiB, the most that is read, each of them wrong in another way. */
import { resolve, type Schema } from '../../gateway/src/edge/specification.js';
import { specification } from './fixtures.js';

const MIB = 1_048_576;

/** As many copies as fit into `bytes`. */
const fill = (item: string, bytes = MIB - 4096) => Array(Math.floor(bytes / (item.length + 1))).fill(item);
const list = (item: string, bytes?: number) => `[${fill(item, bytes).join(',')}]`;
const nested = (open: string, inner: string, close: string, levels: number) =>
  open.repeat(levels) + inner + close.repeat(levels);
const fields = (count: number, name: (index: number) => string, value = '1') =>
  `{${Array.from({ length: count }, (_, index) => `${JSON.stringify(name(index))}:${value}`).join(',')}}`;

/** Wrong for every operation that takes a JSON object. */
const anywhere: [what: string, body: string][] = [
  ['a list of numbers', list('-1')],
  ['a list of lists', list('[]')],
  ['a list of objects', list('{}')],
  ['a list of objects with a field', list('{"name":[]}')],
  ['a string', JSON.stringify('x'.repeat(MIB - 4096))],
  ['a number of many digits', '9'.repeat(MIB - 4096)],
  ['2,000 unknown fields', fields(2000, (index) => `unknown_${index}`)],
  ['3,000 unknown fields with long names', fields(3000, (index) => `${index}${'x'.repeat(320)}`)],
  ['100,000 unknown fields', fields(87_000, (index) => `f${index}`)],
  ['whole numbers as fields', fields(90_000, (index) => `${index * 7}`)],
  ['one field whose name fills the body', `{"${'x'.repeat(MIB - 4096)}":1}`],
  ['a field whose name is of slashes', `{"${'/'.repeat(MIB - 4096)}":1}`],
  ['a field whose name is a long path', `{"${'a/'.repeat((MIB - 4096) / 2)}":1}`],
  ['a field whose name is of dots', `{"${'a.'.repeat((MIB - 4096) / 2)}":1}`],
  ['3,000 fields whose names are paths', fields(3000, (index) => `${'a/'.repeat(150)}${index}`)],
  ['fields of the prototype', '{"__proto__":{"x":1},"constructor":{"prototype":{}},"toString":1}'],
  ['lists as deep as they go', nested('[', '', ']', MIB / 2 - 2048)],
  ['objects as deep as they go', nested('{"a":', '1', '}', Math.floor((MIB - 4096) / 6))],
  [
    'objects fifteen deep, and wide',
    nested(
      '{"a":',
      fields(90_000, (index) => `f${index}`),
      '}',
      14,
    ),
  ],
];

/** What the operation's own fields are filled with. */
const values: [what: string, value: (bytes: number) => string][] = [
  ['wrong items', (bytes) => list('-1', bytes)],
  ['wrong texts', (bytes) => list('"\u0001"', bytes)],
  ['empty objects', (bytes) => list('{}', bytes)],
  ['a long text', (bytes) => JSON.stringify('x'.repeat(bytes))],
  ['an object of unknown fields', (bytes) => fields(Math.floor(bytes / 14), (index) => `u${index}`)],
];

export function hostileBodies(schema: Schema): [what: string, body: string][] {
  const names = Object.keys((resolve(specification, schema).properties as object | undefined) ?? {});
  const share = Math.floor((MIB - 8192) / Math.max(1, names.length)) - 64;
  const everyField = values.map(([what, value]): [string, string] => [
    `every field: ${what}`,
    `{${names.map((name) => `"${name}":${value(share)}`).join(',')}}`,
  ]);
  // Few enough values to be looked at one by one. Where a text is the only field, it may be a right one.
  const few = (names.length > 1 ? values : []).map(([what, value]): [string, string] => [
    `every field: some ${what}`,
    `{${names.map((name) => `"${name}":${value(Math.min(share, 150))}`).join(',')}}`,
  ]);
  const oneField = names.map((name): [string, string] => [
    `${name}: a list that fills the body`,
    `{"${name}":${list('-1', MIB - 8192)}}`,
  ]);
  return [...anywhere, ...everyField, ...few, ...oneField];
}
