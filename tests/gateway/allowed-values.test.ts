import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { allowedAt } from '../../gateway/src/edge/allowed-values.js';
import type { Schema, Specification } from '../../gateway/src/edge/specification.js';
import { root } from '../../gateway/src/root.js';

type Table = {
  components: Specification['components'];
  cases: { schema: Schema; path?: string[]; words: string | null }[];
};
/** The backend's suite runs the same table. */
const table = JSON.parse(readFileSync(join(root, 'tests/openapi/allowed-values.json'), 'utf8')) as Table &
  Specification;

test.each(table.cases)('$schema $path: $words', ({ schema, path = [], words }) => {
  expect(allowedAt(table, schema, path) ?? null).toBe(words);
});
