import type { QueryClient, QueryKey } from '@tanstack/react-query';

const REST_MS = 1_000;

/**
 * Asks for an answer again when it may have changed: at once, then not more than once a second, the last change never
 * lost. Asked again at every event, an answer that takes longer than events are apart would never arrive.
 */
export function createRefresher(cache: QueryClient): (queryKey: QueryKey) => void {
  /** Answers within their second, and whether they have changed again. */
  const resting = new Map<string, boolean>();
  return function refresh(queryKey) {
    const name = JSON.stringify(queryKey);
    if (resting.has(name)) {
      resting.set(name, true);
      return;
    }
    resting.set(name, false);
    void cache.invalidateQueries({ queryKey });
    setTimeout(() => {
      const again = resting.get(name);
      resting.delete(name);
      if (again) refresh(queryKey);
    }, REST_MS);
  };
}
