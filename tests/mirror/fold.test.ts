import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sequence } from '../../gateway/src/backend/sequence.js';
import {
  type Change,
  type Changes,
  fold,
  foldAll,
  type Known,
  noChanges,
} from '../../gateway/src/mirror/fold.js';
import type { Event } from '../../openapi/backend.js';
import { options } from '../faults/options.js';
import {
  anyEvent,
  candidate,
  evaluation,
  event,
  generation,
  logLine,
  model,
  run,
  timeOf,
  verification,
} from './events.js';

const nothing: Known = { model: () => undefined };
const knows = (deletedAt: string | null = null): Known => ({
  model: (id) => (id === 'm' ? { row: model('m'), deletedAt } : undefined),
});

const started = run('r', { status: 'running' });
const table: [string, { known?: Known; given: Event; want: Change[] }][] = [
  ['a run state', { given: event.run(1, 'run.started', started), want: [{ table: 'run', row: started }] }],
  [
    'a model',
    {
      given: event.registered(1, model('m')),
      want: [{ table: 'model', row: model('m'), deletedAt: null }],
    },
  ],
  [
    'a deletion',
    {
      known: knows(),
      given: event.deleted(2, 'm'),
      want: [{ table: 'model', row: model('m'), deletedAt: timeOf(2) }],
    },
  ],
  ['a deletion of something unknown', { given: event.deleted(2, 'm'), want: [] }],
  [
    'a model registered again after its deletion',
    {
      known: knows(timeOf(1)),
      given: event.registered(3, model('m')),
      want: [{ table: 'model', row: model('m'), deletedAt: null }],
    },
  ],
  [
    'a verification marks its model',
    {
      known: knows(),
      given: event.verified(2, 'm', false),
      want: [
        { table: 'verification', seq: 2, row: verification('m', false, timeOf(2)) },
        { table: 'model', row: model('m', { verified: false, verified_at: timeOf(2) }), deletedAt: null },
      ],
    },
  ],
  [
    'a verification of a deleted model does not bring it back',
    {
      known: knows(timeOf(1)),
      given: event.verified(2, 'm', true),
      want: [
        { table: 'verification', seq: 2, row: verification('m', true, timeOf(2)) },
        { table: 'model', row: model('m', { verified: true, verified_at: timeOf(2) }), deletedAt: timeOf(1) },
      ],
    },
  ],
  [
    'an evaluation',
    {
      given: event.evaluated(4, evaluation('r', 'foundation', 50)),
      want: [{ table: 'evaluation', seq: 4, row: evaluation('r', 'foundation', 50) }],
    },
  ],
  [
    'a candidate',
    {
      given: event.candidate(5, candidate('r', 1, 2)),
      want: [{ table: 'candidate', row: candidate('r', 1, 2) }],
    },
  ],
  [
    'a generation',
    {
      given: event.generation(6, generation('r', 1)),
      want: [{ table: 'generation', row: generation('r', 1) }],
    },
  ],
  [
    'a log line',
    {
      given: event.log(7, logLine('r', 'hello')),
      want: [{ table: 'log', seq: 7, row: logLine('r', 'hello') }],
    },
  ],
];

test.each(table)('%s', (_, { known = nothing, given, want }) => {
  expect(fold(known, given)).toEqual(want);
});

test('an event of a type that the contract lacks is refused', () => {
  const alien = { ...event.deleted(1, 'm'), type: 'model.renamed' } as unknown as Event;
  expect(() => fold(nothing, alien)).toThrow('unknown event model.renamed');
});

describe('sequence', () => {
  const at = (...numbers: number[]) => numbers.map((seq) => event.deleted(seq, 'm'));
  test.each([
    ['in order', { cursor: 0, given: [1, 2], want: { accepted: [1, 2], missing: null } }],
    ['duplicate event', { cursor: 0, given: [1, 1], want: { accepted: [1], missing: null } }],
    ['behind the cursor', { cursor: 2, given: [1, 2], want: { accepted: [], missing: null } }],
    ['out of order', { cursor: 0, given: [2, 1], want: { accepted: [1, 2], missing: null } }],
    ['gap', { cursor: 0, given: [1, 3, 4], want: { accepted: [1], missing: 2 } }],
    ['gap at the start', { cursor: 5, given: [7], want: { accepted: [], missing: 6 } }],
    ['nothing', { cursor: 5, given: [], want: { accepted: [], missing: null } }],
  ])('%s', (_, { cursor, given, want }) => {
    const { accepted, missing } = sequence(cursor, at(...given));
    expect({ accepted: accepted.map(({ seq }) => seq), missing }).toEqual(want);
  });
});

/** Delivers batches as the feed does: what is missing is paged from the log, never guessed. */
function follow(log: readonly Event[], batches: readonly (readonly Event[])[]): Changes {
  const rows = noChanges();
  let cursor = 0;
  const take = (events: readonly Event[]): boolean => {
    const { accepted, missing } = sequence(cursor, events);
    foldAll(nothing, accepted, rows);
    cursor = accepted.at(-1)?.seq ?? cursor;
    return missing === null;
  };
  for (const batch of batches) if (!take(batch)) take(log.slice(cursor));
  take(log.slice(cursor));
  return rows;
}

const deliveries = fc
  .record({
    picks: fc.array(fc.nat(239), { maxLength: 30 }),
    size: fc.integer({ min: 1, max: 7 }),
    /** What happens to each delivered event: dropped, doubled, sent again much later, or nothing. */
    faults: fc.array(fc.constantFrom('drop', 'double', 'late', 'none', 'none', 'none'), { maxLength: 40 }),
    shuffle: fc.array(fc.nat(1000), { maxLength: 40 }),
  })
  .map(({ picks, size, faults, shuffle }) => {
    const log = picks.map((pick, index) => anyEvent(index + 1, pick));
    const late: Event[] = [];
    const sent = log.flatMap((item, index) => {
      const fault = faults[index] ?? 'none';
      if (fault === 'late') late.push(item);
      return fault === 'drop' ? [] : fault === 'double' ? [item, item] : [item];
    });
    sent.push(...late);
    const batches: Event[][] = [];
    for (let from = 0; from < sent.length; from += size) {
      const key = (index: number) => shuffle[(from + index) % Math.max(1, shuffle.length)] ?? 0;
      const batch = sent.slice(from, from + size).map((item, index) => ({ item, key: key(index) }));
      batches.push(batch.sort((a, b) => a.key - b.key).map(({ item }) => item));
    }
    return { log, batches };
  });

test('disturbed deliveries, however many, give the same rows as the undisturbed one', () => {
  fc.assert(
    fc.property(deliveries, ({ log, batches }) => {
      expect(follow(log, batches)).toEqual(foldAll(nothing, log));
    }),
    { numRuns: options.cases, seed: options.seed },
  );
});

test('the same deliveries, taken as they come, do not: the property can fail', () => {
  const naive = fc.property(deliveries, ({ log, batches }) => {
    expect(foldAll(nothing, batches.flat())).toEqual(foldAll(nothing, log));
  });
  expect(fc.check(naive, { numRuns: 100, seed: 2026 }).failed).toBe(true);
});

test('folding a batch at once equals folding its events one by one', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(239), { maxLength: 40 }), (chosen) => {
      const log = chosen.map((pick, index) => anyEvent(index + 1, pick));
      const single = noChanges();
      for (const item of log) foldAll(nothing, [item], single);
      expect(foldAll(nothing, log)).toEqual(single);
    }),
    { numRuns: 1000, seed: 7 },
  );
});
