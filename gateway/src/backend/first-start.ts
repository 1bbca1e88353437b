import type { BackendState, Supervisor } from './supervisor.js';

/** The backend has ended several times without ever having been up: it will not start by being tried again. */
export class BackendStartError extends Error {
  override readonly name = 'BackendStartError';
}

export type FirstStart = {
  /** Lives that may end before the first that is up. */
  attempts: number;
  /** Told of the first life that ended, with the last lines that it wrote. */
  onFailure(reason: string): void;
};

/**
 * Resolves when the backend is up for the first time, or is not ours to start. Rejects with a BackendStartError after
 * so many lives that were never up. One that has been up once is started again for ever: what ended it may pass.
 */
export function firstStart(supervisor: Supervisor, { attempts, onFailure }: FirstStart): Promise<void> {
  return new Promise((resolve, reject) => {
    let failed = 0;
    const look = (state: BackendState) => {
      switch (state.status) {
        case 'starting':
          return;
        case 'up':
        case 'external':
          end();
          resolve();
          return;
        case 'down': {
          if (state.retryAt === null) return;
          failed++;
          const reason = failureText(state.reason, state.output);
          if (failed === 1) onFailure(reason);
          if (failed < attempts) return;
          end();
          reject(
            new BackendStartError(`the backend did not start in ${attempts} attempts; the last ${reason}`),
          );
          return;
        }
        default:
          state satisfies never;
      }
    };
    const end = supervisor.onState(look);
    look(supervisor.state());
  });
}

function failureText(reason: string, output: readonly string[]): string {
  return output.length === 0
    ? `${reason}, and wrote nothing.`
    : `${reason}; it wrote:\n${output.map((line) => `  ${line}`).join('\n')}`;
}
