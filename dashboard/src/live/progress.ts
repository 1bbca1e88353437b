import type { LiveEvent, Progress, TrainingStep } from '../api/schema.ts';
import { type Observable, observable } from './observable.ts';

/** What live events last reported of a run. Nothing here is kept or extrapolated. */
export interface RunPulse {
  progress: { value: Progress; time: string } | null;
  /** Stage → its steps in order, as they came in while this page was open. */
  steps: Readonly<Record<string, readonly TrainingStep[]>>;
}

const NONE: RunPulse = { progress: null, steps: {} };
const STEPS_KEPT = 4000;

export interface Pulses {
  of: (runId: string) => Observable<RunPulse>;
  apply: (event: LiveEvent) => void;
}

export function createPulses(): Pulses {
  const pulses = new Map<string, Observable<RunPulse>>();
  const of = (runId: string) => {
    const known = pulses.get(runId);
    if (known) return known;
    const fresh = observable(NONE);
    pulses.set(runId, fresh);
    return fresh;
  };
  return {
    of,
    apply: (event) => {
      const pulse = of(event.run_id);
      pulse.set(fold(pulse.get(), event));
    },
  };
}

function fold(pulse: RunPulse, event: LiveEvent): RunPulse {
  switch (event.type) {
    case 'run.progress':
      return { ...pulse, progress: { value: event.payload, time: event.time } };
    case 'training.step': {
      const { stage, step } = event.payload;
      const known = pulse.steps[stage] ?? [];
      // a resumed attempt goes back to its checkpoint: what lay beyond it was not kept by the run either
      const before = known.filter((point) => point.step < step);
      return {
        ...pulse,
        steps: { ...pulse.steps, [stage]: [...before, event.payload].slice(-STEPS_KEPT) },
      };
    }
    default:
      event satisfies never;
      return pulse;
  }
}
