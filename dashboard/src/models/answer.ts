import type { PredictedToken, PredictionPart, Problem } from '../api/schema.ts';

type Ended = Extract<PredictionPart, { type: 'ended' }>;

/** What one model has said so far. */
export type Answer = {
  modelId: string;
  state: 'waiting' | 'answering' | 'ended' | 'stopped' | 'failed';
  /** The prompt as the model reads it. */
  read: string;
  promptTokens: number;
  tokens: readonly PredictedToken[];
  ended: Ended | null;
  error: unknown;
};

export const waiting = (modelId: string): Answer => ({
  modelId,
  state: 'waiting',
  read: '',
  promptTokens: 0,
  tokens: [],
  ended: null,
  error: null,
});

/** The answer with one part more. */
export function withPart(answer: Answer, part: PredictionPart): Answer {
  switch (part.type) {
    case 'begun':
      return { ...answer, state: 'answering', read: part.read, promptTokens: part.prompt_tokens };
    case 'token':
      return { ...answer, tokens: [...answer.tokens, part] };
    case 'ended':
      return { ...answer, state: 'ended', ended: part };
    case 'failed':
      return { ...answer, state: 'failed', error: brokenOff(part) };
    default:
      part satisfies never;
      return answer;
  }
}

const brokenOff = ({ code, detail }: { code: string; detail: string }): Problem => ({
  type: 'about:blank',
  title: 'The answer broke off',
  status: 0,
  code,
  detail,
  hint: null,
  instance: null,
  trace_id: null,
  errors: [],
  errors_omitted: 0,
});
