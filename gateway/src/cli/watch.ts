import { ProblemError } from '../../../openapi/client.js';
import { hasEnded } from '../../../openapi/realtime.js';
import type { Api, Run } from './contract.js';
import { follow } from './follow.js';
import type { Gateway } from './gateway.js';
import { type Choice, onInterrupt } from './interrupt.js';
import { createView, type View } from './progress.js';

/**
 * Shows runs until each has ended; Ctrl-C asks whether to cancel them.
 * @param ended is called with their last states, while the view is still there
 * @param again how to watch them again, for who leaves
 * @returns what `ended` makes of them; null where the person has left
 */
export async function watch<T>(
  api: Api,
  gateway: Gateway,
  runIds: string[],
  ended: (runs: Run[], view: View) => Promise<T>,
  again: string,
): Promise<T | null> {
  const view = createView(process.stderr);
  const leaving = new AbortController();
  const stopListening = onInterrupt(process.stdin, view.stop, (choice) => {
    if (choice === 'leave') leaving.abort(choice);
    else cancel(api, runIds, view).catch((error) => leaving.abort(error));
  });
  try {
    const { url, token } = gateway;
    const runs = await follow({ url, token, runIds, watcher: view, signal: leaving.signal });
    return await ended(runs, view);
  } catch (error) {
    view.stop();
    if (error !== ('leave' satisfies Choice)) throw error;
    const fate = gateway.own
      ? 'the gateway of this command ends with it; the run goes on where it stopped at the next start'
      : 'the run goes on';
    process.stderr.write(`${fate}. Watch it again: ${again}\n`);
    return null;
  } finally {
    view.stop();
    stopListening();
  }
}

async function cancel(api: Api, runIds: string[], view: View): Promise<void> {
  view.say('cancelling');
  for (const id of runIds) {
    const run: Run = await api.get('/api/v1/runs/{run_id}', { path: { run_id: id } });
    if (hasEnded(run.status)) continue;
    try {
      await api.post('/api/v1/runs/{run_id}/{command}', { path: { run_id: id, command: 'cancel' } });
    } catch (error) {
      // The second run is cancelled by the backend as soon as the first one is.
      if (!(error instanceof ProblemError && error.problem.status === 409)) throw error;
    }
  }
}
