import { expect, test } from '@jest/globals';
import type { MergeMethod, Model } from '../../../dashboard/src/api/schema.js';
import {
  type Composition,
  isComposable,
  misfit,
  missing,
  recipeOf,
  vocabulariesDiffer,
} from '../../../dashboard/src/merge/composition.js';
import { faultIn } from '../../../dashboard/src/merge/configuration-fault.js';
import { problemOf } from '../../../openapi/problem.js';

const number = { type: 'number', default: 0.2 };
const method = (part: Partial<MergeMethod>): MergeMethod => ({
  name: 'ties',
  summary: '',
  details: '',
  edges: '',
  mergekit: null,
  source: '',
  parameters: {
    properties: { weights: { anyOf: [{ type: 'array' }, { type: 'object' }] }, density: number },
  },
  min_inputs: 1,
  max_inputs: null,
  uses_base: true,
  random: false,
  ...part,
});
const slerp = method({ name: 'slerp', min_inputs: 2, max_inputs: 2, uses_base: false });
const composed = (part: Partial<Composition>): Composition => ({
  method: method({}),
  models: ['a', 'b', 'base'],
  base: 'base',
  weights: { b: 0.3 },
  parameters: { density: 0.5 },
  ...part,
});
const model = (model_type: string, vocab_size = 300): Model =>
  ({ architecture: { kind: 'causal_lm', model_type, vocab_size }, tokenizer: null }) as unknown as Model;

test('a recipe names its models and weighs all but the base', () => {
  expect(recipeOf(composed({}))).toMatchObject({
    op: 'ties',
    inputs: [{ model_id: 'a' }, { model_id: 'b' }],
    base: { model_id: 'base' },
    parameters: { density: 0.5, weights: [1, 0.3] },
  });
  expect(recipeOf(composed({ method: slerp }))).toMatchObject({ inputs: [{}, {}, {}], base: null });
});

test.each<[string | undefined, Partial<Composition>]>([
  [undefined, {}],
  ['ties takes at least 1 model beside the base; none is chosen.', { models: ['base'] }],
  ['slerp takes 2 models; 3 are chosen.', { method: slerp }],
  [undefined, { method: slerp, models: ['a', 'b'] }],
])('what is missing: %s', (said, part) => {
  expect(missing(composed(part))).toBe(said);
});

test('methods whose parameters are tables are for configurations', () => {
  expect(isComposable(slerp)).toBe(true);
  expect(isComposable(method({ parameters: { properties: { stack: { type: 'array' } } } }))).toBe(false);
});

test('a model of another family says so, and one of another vocabulary can be aligned', () => {
  expect(misfit(model('llama'), model('llama', 400))).toBeNull();
  expect(misfit(model('opt'), model('llama'))).toBe('it is an opt, the others are llama');
  expect(vocabulariesDiffer([model('llama'), model('llama', 400)])).toBe(true);
});

test.each([
  [
    'configuration_refused',
    'line 7: `merge_method` is missing',
    { line: 7, message: '`merge_method` is missing' },
  ],
  ['invalid_request', 'line 7: no', null],
])('%s is shown at its line', (code, detail, fault) => {
  expect(faultIn(problemOf(422, { code, detail, title: '', status: 422, type: '' }))).toEqual(fault);
});
