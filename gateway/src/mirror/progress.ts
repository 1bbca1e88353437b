import type { LiveEvent, LiveProgress, Run } from '../../../openapi/backend.js';
import { hasEnded } from '../../../openapi/realtime.js';

/**
 * Latest live progress of the running runs. It is not stored: after a restart it is null until the backend speaks,
 * and a run then shows the progress of its last durable event.
 */
export function createLiveProgress() {
  const latest = new Map<string, LiveProgress>();
  return {
    hear(event: LiveEvent): void {
      if (event.type === 'run.progress') latest.set(event.run_id, event);
    },
    freshen(run: Run): Run {
      const live = latest.get(run.id);
      if (!live) return run;
      const over = hasEnded(run.status);
      if (over) latest.delete(run.id);
      return over || live.time <= run.updated_at ? run : { ...run, progress: live.payload };
    },
  };
}
