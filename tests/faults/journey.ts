/** One pipeline on a stack of its own, killed wherever the plan says, to its end. */
import { expect } from '@jest/globals';
import fc from 'fast-check';
import type { PipelineConfig } from '../../openapi/backend.js';
import { eventually } from '../backend/fixtures.js';
import { type Outcome, outcomeOf, work } from './outcome.js';
import { type Injection, startStack, VICTIMS, type Victim } from './stack.js';
import { type Shape, STAGES, type Stage, stageOf } from './stages.js';
import { type Heard, type Witness, witness } from './witness.js';

const SPECIALISTS = ['reasoning', 'memory_integration', 'adaptive_computation'] as const;
const FOUNDATION_STEPS = 12;
const TRAIN_STEPS = 4;
const GENERATIONS = 2;
const POPULATION = 8;

export const PIPELINE: PipelineConfig = {
  cognate: {
    preset: 'nano',
    specializations: [...SPECIALISTS],
    foundation_steps: FOUNDATION_STEPS,
    train_steps: TRAIN_STEPS,
    batch_tokens: 256,
    eval_interval: 3,
    eval_problems: 48,
    checkpoint_interval: 2,
    // Random numbers in every step: a resumed run must draw the same.
    dropout: 0.1,
    datasets: [{ name: 'parity' }, { name: 'arithmetic' }],
  },
  evomerge: {
    generations: GENERATIONS,
    // Few kernels: each worker loads those that it needs anew.
    ops: ['linear', 'task_arithmetic', 'ties'],
    eval_problems: 8,
    heldout_problems: 16,
    barrier_points: 1,
  },
};
export const SHAPE: Shape = {
  training: [['foundation', FOUNDATION_STEPS], ...SPECIALISTS.map((name) => [name, TRAIN_STEPS] as const)],
  evalInterval: 3,
  pairs: 3,
  generations: GENERATIONS,
};
/** On a quick disk a model is registered within milliseconds, and no kill from outside would meet it. */
const SLOW_DISK: Injection = { slow_seconds: 0.03 };
/** What is older when it is heard was told again after a reconnection, and announces nothing. */
const STALE_MS = 3_000;

export type Kill = {
  stage: Stage;
  victim: Victim;
  /** Which of the places where the stage can be met, 0 to 1. */
  place: number;
  delayMs: number;
};
export type Met = Kill & { met: Stage | 'ended'; alive: boolean };
export type Journey = {
  outcome: Outcome;
  work: string[][];
  met: Met[];
};

/** Longest time that a kill waits after what announces its stage. */
const WINDOW_MS: Record<Stage, number> = {
  queued: 400,
  foundation: 80,
  specialist: 80,
  evaluation: 60,
  registration: 60,
  parents: 200,
  barriers: 60,
  breeding: 200,
  champion: 150,
  finishing: 40,
};

/** The same for the same seed and number; victims alternate, so that none is left out. */
export function planOf(seed: number, index: number, stages: readonly Stage[] = STAGES): Kill[] {
  const fraction = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
  const [draw] = fc.sample(
    fc.record({
      victims: fc.shuffledSubarray([...VICTIMS], { minLength: VICTIMS.length }),
      places: fc.array(fc.tuple(fraction, fraction), {
        minLength: STAGES.length,
        maxLength: STAGES.length,
        size: 'max',
      }),
    }),
    { seed: seed * 1000 + index, numRuns: 1 },
  );
  if (!draw) throw new Error('nothing was drawn');
  return stages.map((stage, position) => {
    const [place, delay] = draw.places[position] ?? [0, 0];
    return {
      stage,
      victim: draw.victims[position % VICTIMS.length] ?? 'worker',
      place,
      delayMs: Math.round(delay * WINDOW_MS[stage]),
    };
  });
}

/** Whether what was just heard announces the stage at the kill's place. */
function announces({ stage, place }: Kill, heard: Heard): boolean {
  const nth = (count: number) => Math.floor(place * count);
  if ('progress' in heard) {
    const { stage: at, done } = heard.progress;
    const chosen = SPECIALISTS[nth(SPECIALISTS.length)];
    if (stage === 'foundation') return at === 'foundation' && done > nth(FOUNDATION_STEPS - 1);
    return stage === 'specialist' && at === chosen;
  }
  const { event } = heard;
  const training = SHAPE.training[nth(SHAPE.training.length)] ?? ['foundation', FOUNDATION_STEPS];
  switch (event.type) {
    case 'run.log': {
      const { message } = event.payload;
      if (stage === 'evaluation') return message.startsWith(`${training[0]}: ${training[1]} steps`);
      if (stage === 'parents') return message.includes('task vectors about');
      return stage === 'barriers' && message.startsWith('merge barrier');
    }
    case 'training.evaluated':
      return (
        stage === 'registration' && event.payload.stage === training[0] && event.payload.step === training[1]
      );
    case 'candidate.evaluated':
      return (
        stage === 'breeding' &&
        event.payload.generation * POPULATION + event.payload.slot === nth(GENERATIONS * POPULATION - 1)
      );
    case 'generation.completed':
      return stage === 'champion' && event.payload.index === GENERATIONS - 1;
    case 'model.registered':
      return stage === 'finishing' && event.payload.kind === 'merged';
    default:
      return false;
  }
}

export async function journey(
  kills: readonly Kill[],
  { injection = SLOW_DISK, pipeline = PIPELINE }: { injection?: Injection; pipeline?: PipelineConfig } = {},
): Promise<Journey> {
  const stack = await startStack(injection);
  let listening: Witness | undefined;
  try {
    const system = await stack.api.get('/api/v1/system');
    const made = await stack.api.post('/api/v1/pipelines', { body: pipeline });
    const runs = [made.cognate.id, ...(made.evomerge ? [made.evomerge.id] : [])];
    const heard = witness(stack.url, stack.token, system.backend?.epoch ?? '', runs);
    listening = heard;
    const waiting = [...kills];
    const met: Met[] = [];
    const seen = new Map<
      Met,
      { at: string; progress: (run: string) => ReturnType<Witness['progressBefore']> }
    >();
    let busy: Promise<void> = Promise.resolve();
    let striking = false;
    const strike = (kill: Kill) => {
      waiting.splice(waiting.indexOf(kill), 1);
      striking = true;
      busy = (async () => {
        await new Promise((done) => setTimeout(done, kill.delayMs));
        const at = new Date().toISOString();
        const known = new Map(runs.map((run) => [run, heard.progressBefore(run, at)]));
        const hit = await stack.kill(kill.victim);
        const entry: Met = { ...kill, met: 'queued', alive: hit };
        met.push(entry);
        seen.set(entry, { at, progress: (run) => known.get(run) ?? null });
      })().finally(() => {
        striking = false;
      });
    };
    const first = waiting.find(({ stage }) => stage === 'queued');
    if (first) strike(first);
    heard.listen((news) => {
      const time = 'event' in news ? news.event.time : news.time;
      if (striking || Date.now() - Date.parse(time) > STALE_MS) return;
      const kill = waiting.find((one) => announces(one, news));
      if (kill) strike(kill);
    });
    const ended = await eventually(
      async () => {
        await busy;
        // Away for a moment, it is asked again.
        await stack.look().catch(() => undefined);
        const states = await Promise.all(
          runs.map((run_id) => stack.api.get('/api/v1/runs/{run_id}', { path: { run_id } })),
        ).catch(() => []);
        return states.map(({ status, failure }) => ({ status, failure }));
      },
      (states) =>
        !striking &&
        states.length > 0 &&
        (states.every(({ status }) => status === 'succeeded') ||
          states.some(({ status }) => status === 'failed')),
    );
    await busy;
    expect(ended).toEqual(runs.map(() => ({ status: 'succeeded', failure: null })));
    await eventually(
      () => stack.api.get('/api/v1/system'),
      ({ gateway, stale_since }) => stale_since === null && gateway.mirror.seq === gateway.mirror.backend_seq,
    );
    await eventually(
      () => runs.map((run) => heard.of(run).at(-1)?.type),
      (types) => types.every((type) => type === 'run.succeeded'),
    );
    const logs = runs.map((run) => heard.of(run));
    for (const log of logs) {
      // Each event once, in order and without a gap, to a client that was there all the time.
      expect(log.map(({ run_seq }) => run_seq)).toEqual(log.map((_, index) => index + 1));
    }
    expect(heard.faults).toEqual([]);
    const all = logs.flat().sort((a, b) => a.seq - b.seq);
    for (const [entry, { at, progress }] of seen) {
      const before = all.filter(({ time }) => time < at);
      const running = before.findLast(({ type }) => type === 'run.started')?.run_id ?? '';
      entry.met = stageOf(SHAPE, before, progress(running));
    }
    return {
      outcome: await outcomeOf(stack.api, made.id),
      work: logs.map((log) => work(log)),
      met,
    };
  } finally {
    listening?.end();
    await stack.stop();
  }
}
