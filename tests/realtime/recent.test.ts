import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { topicsOf } from '../../gateway/src/mirror/topic.js';
import { RecentEvents } from '../../gateway/src/realtime/recent.js';
import { anyEvent, event, logLine } from '../mirror/events.js';

const line = (seq: number, message = '') => event.log(seq, logLine('r', message));

test('any page of any topic is that of the whole log, or none', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.nat(), { maxLength: 9 }), { maxLength: 9 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom('runs' as const, 'models' as const, 'run:a' as const),
      (batches, most, limit, topic) => {
        const recent = new RecentEvents({ most });
        let seq = 0;
        const log = batches.map((batch) => batch.map((pick) => anyEvent(++seq, pick)));
        for (const batch of log) recent.add(batch);
        expect(recent.seq).toBe(seq);
        const all = log.flat();
        for (let after = 0; after <= seq; after++) {
          const of = all.filter((each) => each.seq > after && topicsOf(each).includes(topic));
          const through = of.length < limit ? seq : of[limit - 1]?.seq;
          expect(recent.page(topic, after, limit)).toEqual(
            after < seq - most ? null : { events: of.slice(0, limit), through },
          );
        }
      },
    ),
  );
});

test('bytes are bounded too', () => {
  const recent = new RecentEvents({ mostBytes: 30_000 });
  recent.add(Array.from({ length: 9 }, (_, index) => line(index + 1, 'x'.repeat(8_000))));
  expect(recent.page('run:r', 5, 9)).toBeNull();
  expect(recent.page('run:r', 6, 9)?.events).toHaveLength(3);
});

test('a hole: what lay before it is forgotten', () => {
  const recent = new RecentEvents();
  recent.add([line(1), line(2), line(9)]);
  expect(recent.page('run:r', 7, 9)).toBeNull();
  expect(recent.page('run:r', 8, 9)).toEqual({ events: [line(9)], through: 9 });
});
