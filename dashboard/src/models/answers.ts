import { useCallback, useEffect, useRef, useState } from 'react';
import { gateway } from '../api/gateway.ts';
import type { PredictRequest } from '../api/schema.ts';
import { type Answer, waiting, withPart } from './answer.ts';

/** Asks models the same, one after the other: the backend keeps one open at a time. */
export function useAnswers() {
  const [answers, setAnswers] = useState<readonly Answer[]>([]);
  const going = useRef<AbortController | null>(null);

  const stop = useCallback(() => going.current?.abort(), []);
  useEffect(() => stop, [stop]);

  const ask = useCallback(async (modelIds: readonly string[], body: PredictRequest) => {
    going.current?.abort();
    const own = new AbortController();
    going.current = own;
    let all: readonly Answer[] = modelIds.map(waiting);
    const put = (answer: Answer) => {
      if (going.current !== own) return;
      all = all.map((before) => (before.modelId === answer.modelId ? answer : before));
      setAnswers(all);
    };
    setAnswers(all);
    for (let answer of all) {
      try {
        const parts = gateway.lines('/api/v1/models/{model_id}/predict/stream', {
          path: { model_id: answer.modelId },
          body,
          signal: own.signal,
        });
        for await (const part of parts) {
          answer = withPart(answer, part);
          put(answer);
        }
      } catch (error) {
        put(own.signal.aborted ? { ...answer, state: 'stopped' } : { ...answer, state: 'failed', error });
      }
    }
  }, []);

  return { answers, ask, stop };
}
