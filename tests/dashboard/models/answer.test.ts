import { expect, test } from '@jest/globals';
import { type Answer, waiting, withPart } from '../../../dashboard/src/models/answer.ts';
import type { PredictionPart } from '../../../openapi/gateway.js';

const token = (text: string): PredictionPart => ({
  type: 'token',
  text,
  probability: 0.5,
  likeliest: [{ text, probability: 0.5 }],
  depth: null,
  memory_gate: null,
});
const begun: PredictionPart = { type: 'begun', read: 'user: hi', prompt_tokens: 3 };
const ended: PredictionPart = { type: 'ended', answer: 'ab', reason: 'end_token', fault: null, seconds: 1 };

const after = (...parts: PredictionPart[]): Answer => parts.reduce(withPart, waiting('m'));

test.each([
  ['nothing', [], 'waiting', '', 0],
  ['the prompt', [begun], 'answering', '', 3],
  ['tokens', [begun, token('a'), token('b')], 'answering', 'ab', 3],
  ['the end', [begun, token('a'), token('b'), ended], 'ended', 'ab', 3],
] as const)('after %s', (_, parts, state, text, promptTokens) => {
  const answer = after(...parts);
  expect({ state: answer.state, text: answer.tokens.map((one) => one.text).join('') }).toEqual({
    state,
    text,
  });
  expect(answer.promptTokens).toBe(promptTokens);
});

test('an answer that breaks off says why', () => {
  const answer = after(begun, { type: 'failed', code: 'worker_unavailable', detail: 'it ended' });
  expect(answer).toMatchObject({
    state: 'failed',
    error: { code: 'worker_unavailable', detail: 'it ended' },
  });
});
