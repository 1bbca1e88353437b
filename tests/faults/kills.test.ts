/** Any process killed at any instant, in every stage: the same models, scores, lineage and events. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Journey, journey, type Met, PIPELINE, planOf } from './journey.js';
import { again, options } from './options.js';
import { STAGES, type Stage } from './stages.js';

const LONG = 900_000;
/** A kill that comes too early or too late meets another stage: so many more journeys look for what is left. */
const MORE = 3;

const whole = Math.floor(options.kills / STAGES.length);
const rest = options.kills % STAGES.length;
const sizes = [...Array.from({ length: whole }, () => STAGES.length), ...(rest > 0 ? [rest] : [])];
const chosen = sizes
  .map((size, index) => [index, size] as const)
  .filter(([index]) => index === (options.only ?? index));

let undisturbed: Journey;
const met: (Met & { journey: number; equal: boolean })[] = [];

beforeAll(async () => {
  process.stderr.write(`kills: seed ${options.seed}\n`);
  undisturbed = await journey([]);
}, LONG);
afterAll(() => {
  process.stderr.write(table());
});

async function disturb(index: number, stages: readonly Stage[]): Promise<void> {
  const found = await journey(planOf(options.seed, index, stages)).catch((cause: Error) => {
    cause.message += `\n${again('kills', index)}`;
    throw cause;
  });
  const equal =
    JSON.stringify([found.outcome, found.work]) === JSON.stringify([undisturbed.outcome, undisturbed.work]);
  met.push(...found.met.map((one) => ({ ...one, journey: index, equal })));
  if (!equal) process.stderr.write(`${again('kills', index)}\n`);
  expect(found.outcome).toEqual(undisturbed.outcome);
  expect(found.work).toEqual(undisturbed.work);
  expect(found.met.length).toBeGreaterThan(0);
}

test.each(chosen)(
  'journey %i, %i kills: everything as undisturbed',
  (index, size) => disturb(index, stagesOf(index, size)),
  LONG,
);

/** A journey that is not whole meets other stages from seed to seed. */
function stagesOf(index: number, size: number): readonly Stage[] {
  const turn = (options.seed + index) % STAGES.length;
  const turned = [...STAGES.slice(turn), ...STAGES.slice(0, turn)].slice(0, size);
  return STAGES.filter((stage) => turned.includes(stage));
}

if (options.only === null && whole > 0) {
  test(
    'every stage was met',
    async () => {
      const missing = () => STAGES.filter((stage) => !met.some((one) => one.alive && one.met === stage));
      for (let more = 0; more < MORE && missing().length > 0; more++)
        await disturb(sizes.length + more, missing());
      expect(missing()).toEqual([]);
    },
    LONG,
  );
}

describe('the comparison can fail', () => {
  test.each(['data_order', 'moments'] as const)(
    'a checkpoint that forgets its %s',
    async (forget) => {
      // In the middle of the foundation, after its first checkpoint.
      const kill = { stage: 'foundation', victim: 'worker', place: 0.3, delayMs: 0 } as const;
      const found = await journey([kill], {
        injection: { slow_seconds: 0.03, forget },
        pipeline: { ...PIPELINE, evomerge: null },
      });
      expect(found.met).toMatchObject([{ alive: true }]);
      expect(['foundation', 'evaluation']).toContain(found.met[0]?.met);
      expect(found.outcome.cognate).not.toEqual(undisturbed.outcome.cognate);
    },
    LONG,
  );
});

function table(): string {
  const victims = ['worker', 'backend', 'gateway', 'all'];
  const cell = (stage: string, victim: string) => {
    const hits = met.filter((one) => one.alive && one.met === stage && one.victim === victim);
    return hits.length === 0 ? '–' : `${hits.filter(({ equal }) => equal).length}/${hits.length}`;
  };
  const rows = [...STAGES, 'ended'].map((stage) => [stage, ...victims.map((victim) => cell(stage, victim))]);
  const hits = met.filter(({ alive }) => alive);
  return `\nkills by stage: ended as undisturbed / killed\n${[['', ...victims], ...rows]
    .map((row) => row.map((text) => text.padEnd(13)).join(''))
    .join('\n')}\n${hits.filter(({ equal }) => equal).length} of ${hits.length} kills changed nothing\n`;
}
