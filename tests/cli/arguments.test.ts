import { describe, expect, test } from '@jest/globals';
import { parseArguments, UsageError } from '../../gateway/src/cli/arguments.js';
import { flagsOf } from '../../gateway/src/cli/flags.js';
import { helpText } from '../../gateway/src/cli/help.js';
import { loadForms } from '../../gateway/src/cli/schema.js';

const forms = loadForms();
const flags = flagsOf(forms);
const parse = (line: string) => parseArguments(line.split(' ').filter(Boolean), flags, '/home/me');

describe('what a line of flags becomes', () => {
  test.each<[string, string, object]>([
    ['nothing: the contract decides', '', { cognate: {}, evomerge: {} }],
    ['a choice', '--preset tinytitan', { cognate: { preset: 'tinytitan' }, evomerge: {} }],
    ['with an equals sign', '--train-steps=0', { cognate: { train_steps: 0 }, evomerge: {} }],
    ['a list', '--seeds 1,2 --seeds 3', { cognate: { seeds: [1, 2, 3] }, evomerge: {} }],
    ['the last of two values', '--difficulty 1 --difficulty 3', { cognate: { difficulty: 3 }, evomerge: {} }],
    ['null where that is allowed', '--window null', { cognate: { window: null }, evomerge: {} }],
    ['a switch', '--creation-baseline', { cognate: { creation_baseline: true }, evomerge: {} }],
    ['a switch off', '--no-elitism', { cognate: {}, evomerge: { elitism: false } }],
    ['a nested field', '--fitness-accuracy 0.5', { cognate: {}, evomerge: { fitness: { accuracy: 0.5 } } }],
    ['no breeding', '--generations 0 --patience 3', { cognate: {}, evomerge: null }],
    ['a field of both', '--device cpu', { cognate: { device: 'cpu' }, evomerge: { device: 'cpu' } }],
    [
      'one phase over both, in any order',
      '--evomerge-eval-problems 9 --eval-problems 8',
      { cognate: { eval_problems: 8 }, evomerge: { eval_problems: 9 } },
    ],
    [
      'datasets, which breeding follows',
      '--dataset arithmetic --dataset recall=2.5',
      { cognate: { datasets: [{ name: 'arithmetic' }, { name: 'recall', weight: 2.5 }] }, evomerge: {} },
    ],
    [
      'datasets of breeding alone',
      '--evomerge-dataset parity',
      { cognate: {}, evomerge: { datasets: [{ name: 'parity' }] } },
    ],
    [
      'files, from where the caller stands',
      '--dataset file:../a=b.jsonl=2 --dataset file:/abs.txt',
      {
        cognate: { datasets: [{ name: 'file:/home/a=b.jsonl', weight: 2 }, { name: 'file:/abs.txt' }] },
        evomerge: {},
      },
    ],
    [
      'a file elsewhere',
      '--tokenizer file:t.json',
      { cognate: { tokenizer: 'file:/home/me/t.json' }, evomerge: {} },
    ],
  ])('%s', (_, line, config) => {
    expect(parse(line).config).toEqual(config);
  });

  test('options of the command itself', () => {
    expect(parse('--json --proofs 3 --url http://h:1 --idempotency-key k').options).toMatchObject({
      json: true,
      proofs: 3,
      url: 'http://h:1',
      idempotencyKey: 'k',
    });
  });
});

describe('a wrong line is one line that names the flag and what it accepts', () => {
  test.each([
    ['--preset big', '--preset big: must be one of nano, tinytitan, wide'],
    ['--difficulty 9', '--difficulty 9: must be 1 to 5'],
    ['--difficulty 1.5', '--difficulty 1.5: must be 1 to 5'],
    ['--dropout 1', '--dropout 1: must be at least 0 and less than 1'],
    ['--gradient-clip 0', '--gradient-clip 0: must be more than 0 and at most 1000'],
    ['--train-steps', '--train-steps needs a value: 0 to 1000000'],
    ['--train-steps --json', '--train-steps needs a value: 0 to 1000000'],
    ['--train-steps=', '--train-steps : must be 0 to 1000000'],
    ['--population 1', '--population 1: must be 2 to 64'],
    ['--seeds 1,x', '--seeds x: must be comma-separated, each at least 0'],
    ['--seeds 1,2,3,4,5,6,7,8,9', '--seeds: 9 values, must be 1 to 8'],
    ['--session-id a/b', '--session-id a/b: must be text matching ^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'],
    ['--dataset recall=0', '--dataset recall=0: the weight must be more than 0 and at most 1000'],
    ['--elitism=maybe', '--elitism maybe: must be true or false'],
    ['--generatoins 3', '--generatoins: no such flag; did you mean --generations?'],
    ['--xyzzy 3', '--xyzzy: no such flag; all flags: npm run forge -- --help'],
    ['nano', 'nano: not a flag; all flags: npm run forge -- --help'],
    ['--proofs many', '--proofs many: must be 0 to 1000'],
    ['--url localhost:4400', '--url localhost:4400: must start with http:// or https://'],
    ['--json=yes', '--json takes no value'],
  ])('%s', (line, message) => {
    expect(() => parse(line)).toThrow(new UsageError(message));
  });
});

test('every field of both phases has its flag, its place and its line in --help', () => {
  const help = helpText(flags, 100);
  for (const [phase, form] of [
    ['cognate', 'CognateConfig'],
    ['evomerge', 'EvoMergeSettings'],
  ] as const) {
    for (const field of Object.keys(forms.$defs[form]?.properties ?? {})) {
      const found = flags.filter(({ paths }) =>
        paths.some(([first, second]) => first === phase && second === field),
      );
      expect([field, found.length > 0]).toEqual([field, true]);
      expect(help).toContain(`--${found[0]?.name}`);
    }
  }
});

test('no two flags share a name', () => {
  const names = flags.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
});
