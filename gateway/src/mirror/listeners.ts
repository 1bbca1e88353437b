import type { Logger } from 'pino';

/** Listeners of one kind of news. One that throws is logged, and the others still hear it. */
export function createListeners<News>(log: Logger) {
  const listeners = new Set<(news: News) => void>();
  return {
    add: (listener: (news: News) => void): (() => void) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    emit: (news: News): void => {
      for (const listener of listeners) {
        try {
          listener(news);
        } catch (err) {
          log.error({ err }, 'a listener failed');
        }
      }
    },
  };
}
