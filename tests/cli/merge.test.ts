import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { UsageError } from '../../gateway/src/cli/arguments.js';
import { mergeOrder } from '../../gateway/src/cli/merge.js';

const TEXT = 'merge_method: linear\nmodels: [{model: a}]\n';
const directory = mkdtempSync(join(tmpdir(), 'merge-'));
writeFileSync(join(directory, 'config.yml'), TEXT);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const order = (line: string) => mergeOrder(line.split(' '), directory);

test.each([
  ['config.yml', {}, {}],
  ['config.yml --name ours --seed 7', { name: 'ours', seed: 7 }, {}],
  ['--max-shard-size 5000000 config.yml --forecast', { max_shard_size: 5_000_000 }, { forecast: true }],
  [`${join(directory, 'config.yml')} --json --idempotency-key k`, {}, { json: true, idempotencyKey: 'k' }],
])('%s', (line, config, options) => {
  expect(order(line)).toMatchObject({ config: { configuration: TEXT, ...config }, ...options });
});

test.each([
  ['--name ours', /^one configuration is needed/],
  ['config.yml other.yml', /^one configuration is needed/],
  ['none.yml', /none\.yml cannot be read/],
  ['config.yml --seed -1', /--seed/],
  ['config.yml --seed 1.5', /^--seed 1\.5: must be a whole number/],
  ['config.yml --max-shard-size 5GB', /^--max-shard-size 5GB: must be a whole number/],
  ['config.yml --nme x', /--nme/],
])('%s is refused', (line, message) => {
  expect(() => order(line)).toThrow(UsageError);
  expect(() => order(line)).toThrow(message);
});
