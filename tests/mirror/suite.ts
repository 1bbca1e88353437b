/** One contract, both databases: what the mirror keeps, and what it reads back. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Database } from '../../gateway/src/database/database.js';
import { Prisma } from '../../gateway/src/generated/client.js';
import { foldAll } from '../../gateway/src/mirror/fold.js';
import {
  beginHistory,
  publishedHistory,
  publishHistory,
  sweepHistories,
} from '../../gateway/src/mirror/history.js';
import { InvalidCursorError } from '../../gateway/src/mirror/keyset.js';
import type { ModelSort } from '../../gateway/src/mirror/models.js';
import { createQueries } from '../../gateway/src/mirror/queries.js';
import { snapshotOf } from '../../gateway/src/mirror/snapshot.js';
import { tableNames, tables } from '../../gateway/src/mirror/tables.js';
import { topicsOf } from '../../gateway/src/mirror/topic.js';
import { CursorError, commit } from '../../gateway/src/mirror/transaction.js';
import type { Event, Run, RunKind, RunPage } from '../../openapi/backend.js';
import type { CandidatePage } from '../../openapi/gateway.js';
import { options } from '../faults/options.js';
import {
  anyEvent,
  candidate,
  EPOCH,
  evaluation,
  event,
  generation,
  logLine,
  model,
  run,
  timeOf,
  verification,
} from './events.js';

const NOW = new Date(Date.UTC(2026, 5, 1));
const same = <T>(value: T): T => value;

export function describeMirror(name: string, open: () => Promise<Database>) {
  describe(`mirror on ${name}`, () => {
    let database: Database;
    let history: number;
    beforeAll(async () => {
      database = await open();
    });
    afterAll(() => database.close());
    beforeEach(async () => {
      await sweepHistories(database.prisma, []);
      history = (await beginHistory(database.prisma, EPOCH, NOW)).id;
      await publishHistory(database.prisma, history);
    });
    const apply = (...events: Event[]) => commit(database.prisma, history, events, NOW);
    const queries = () => createQueries(database.prisma, () => history, same);

    test('rows, log and cursor come together', async () => {
      const events = [
        event.run(1, 'run.created', run('r')),
        event.run(2, 'run.started', run('r', { status: 'running' })),
        event.evaluated(3, evaluation('r', 'foundation', 50)),
        event.candidate(4, candidate('r', 0, 1)),
        event.candidate(5, candidate('r', 0, 0)),
        event.generation(6, generation('r', 0)),
        event.log(7, logLine('r', 'one')),
        event.log(8, logLine('r', 'two')),
        event.registered(9, model('m')),
        event.verified(10, 'm', true),
      ];
      expect(await apply(...events)).toEqual(events);
      const read = queries();
      expect(await read.run('r')).toEqual(run('r', { status: 'running' }));
      expect(await read.evaluations('r')).toEqual([evaluation('r', 'foundation', 50)]);
      expect((await read.candidates('r', { limit: 9 })).items.map(({ slot }) => slot)).toEqual([0, 1]);
      expect(await read.candidate('r.g0.s1')).toEqual(candidate('r', 0, 1));
      expect(await read.generations('r')).toEqual([generation('r', 0)]);
      expect((await read.logs('r', 1)).map(({ message }) => message)).toEqual(['two']);
      expect((await read.logs('r', 5)).map(({ message }) => message)).toEqual(['one', 'two']);
      const found = await read.model('m');
      expect(found).toEqual({ model: model('m', { verified: true, verified_at: timeOf(10) }), detail: null });
      expect(await read.verifications('model', 'm', 5)).toEqual([verification('m', true, timeOf(10))]);
      expect((await publishedHistory(database.prisma))?.seq).toBe(10);
    });

    test.each(tableNames)('columns and key of %s are those of the schema', async (name) => {
      const columns = await database.prisma.$queryRaw<{ column: string; type: string; key: boolean }[]>`
        SELECT a.attname AS column, format_type(a.atttypid, NULL) AS type, a.attnum = ANY(i.indkey) AS key
          FROM pg_attribute a JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
         WHERE a.attrelid = ${name}::regclass AND a.attnum > 0 AND NOT a.attisdropped`;
      const types: Record<string, string> = {
        int: 'integer',
        float8: 'double precision',
        timestamptz: 'timestamp with time zone',
      };
      const declared = Object.entries(tables[name].columns).map(([column, [type]]) => ({
        column,
        type: types[type] ?? type,
        key: tables[name].key.includes(column),
      }));
      const common = [
        { column: 'history', type: 'integer', key: true },
        { column: 'data', type: 'json', key: false },
        // Comes from the backend's page, not with an event.
        ...(name === 'model' ? [{ column: 'detail', type: 'json', key: false }] : []),
      ];
      const order = (a: { column: string }, b: { column: string }) => (a.column < b.column ? -1 : 1);
      expect(columns.sort(order)).toEqual([...common, ...declared].sort(order));
    });

    test('a repeat changes nothing and is not told again', async () => {
      const events = [event.registered(1, model('m')), event.deleted(2, 'm')];
      await apply(...events);
      expect(await apply(...events)).toEqual([]);
      expect(await queries().model('m')).toBeNull();
      const third = event.registered(3, model('n'));
      expect(await apply(...events, third)).toEqual([third]);
    });

    test('a missing number is refused and leaves no trace', async () => {
      await expect(apply(event.registered(1, model('m')), event.registered(3, model('n')))).rejects.toThrow(
        CursorError,
      );
      expect(await queries().model('m')).toBeNull();
      expect((await publishedHistory(database.prisma))?.seq).toBe(0);
    });

    test('a deleted model stays away when it is verified, and comes back when registered', async () => {
      await apply(event.registered(1, model('m')), event.deleted(2, 'm'));
      await apply(event.verified(3, 'm', true));
      expect(await queries().model('m')).toBeNull();
      await apply(event.registered(4, model('m', { bytes: 7 })));
      expect((await queries().model('m'))?.model.bytes).toBe(7);
    });

    test('text survives that a database might not take', async () => {
      const message = 'nul \u0000, lone \ud800, 🜁, "quotes", \\u0041, 1e-7';
      const odd = model('m', { name: 'a\u0000b', metrics: { loss: 1.25e-7, big: 2 ** 53 } });
      await apply(event.log(1, logLine('r', message)), event.registered(2, odd));
      expect((await queries().logs('r', 1))[0]?.message).toBe(message);
      expect((await queries().model('m'))?.model).toEqual(odd);
      expect((await queries().models({ search: 'AB\u0000', limit: 5 })).items).toHaveLength(1);
    });

    test('runs are paged newest first, each once, also with equal times', async () => {
      const runs = Array.from({ length: 23 }, (_, index) =>
        run(`r${String(index).padStart(2, '0')}`, { created_at: timeOf(Math.floor(index / 4)) }),
      );
      await apply(...runs.map((row, index) => event.run(index + 1, 'run.created', row)));
      const ids: string[] = [];
      let cursor: string | null = null;
      do {
        const page = await queries().runs({ limit: 5, cursor });
        ids.push(...page.items.map(({ id }) => id));
        cursor = page.next_cursor;
      } while (cursor);
      expect(ids).toEqual(runs.map(({ id }) => id).reverse());
      expect((await queries().runs({ limit: 50, status: 'failed' })).items).toEqual([]);
      expect((await queries().runs({ limit: 50, kind: 'cognate' })).items).toHaveLength(23);
    });

    test.each<[ModelSort]>([
      ['created_at'],
      ['-created_at'],
      ['name'],
      ['-name'],
      ['bytes'],
      ['-bytes'],
    ])('models sorted by %s are paged completely', async (sort) => {
      const names = ['beta', 'Alpha', 'alpha', 'Zeta', 'é', 'alpha', '_x'];
      const rows = names.map((label, index) =>
        model(`m${index}`, { name: label, bytes: (index * 3) % 4, created_at: timeOf(index % 3) }),
      );
      await apply(...rows.map((row, index) => event.registered(index + 1, row)));
      const sign = sort.startsWith('-') ? -1 : 1;
      const field = sort.replace('-', '') as 'created_at' | 'name' | 'bytes';
      const order = (a: string | number, b: string | number) => (a < b ? -1 : a > b ? 1 : 0);
      const want = [...rows]
        .sort((a, b) => sign * (order(a[field], b[field]) || order(a.id, b.id)))
        .map(({ id }) => id);
      const ids: string[] = [];
      let cursor: string | null = null;
      do {
        const page = await queries().models({ sort, limit: 2, cursor });
        ids.push(...page.items.map(({ id }) => id));
        cursor = page.next_cursor;
      } while (cursor);
      expect(ids).toEqual(want);
    });

    test('models are filtered and searched', async () => {
      await apply(
        event.registered(1, model('m1', { name: 'TinyTitan_reasoning', kind: 'specialist', run_id: 'r' })),
        event.registered(2, model('m2', { name: '100%_sure', kind: 'merged' })),
        event.registered(3, model('m3', { name: 'other' })),
      );
      const ids = async (filter: object) =>
        (await queries().models({ limit: 9, ...filter })).items.map(({ id }) => id).sort();
      expect(await ids({ search: 'tinytitan' })).toEqual(['m1']);
      expect(await ids({ search: '%' })).toEqual(['m2']);
      expect(await ids({ search: 'M' })).toEqual(['m1', 'm2', 'm3']);
      expect(await ids({ kind: 'merged' })).toEqual(['m2']);
      expect(await ids({ run_id: 'r', kind: 'specialist' })).toEqual(['m1']);
      expect(await ids({ search: "'; DROP TABLE model; --" })).toEqual([]);
    });

    test.each([
      ['nonsense'],
      ['e30'],
      [Buffer.from('["runs","not a time","x"]').toString('base64url')],
      [''],
    ])('cursor %j is refused or ignored, never an error of the database', async (cursor) => {
      const read = queries().runs({ cursor, limit: 5 });
      if (cursor === '') expect((await read).items).toEqual([]);
      else await expect(read).rejects.toThrow(InvalidCursorError);
      await expect(queries().models({ cursor: cursor || 'x', limit: 5 })).rejects.toThrow(InvalidCursorError);
    });

    test('a pipeline is its two runs', async () => {
      await apply(
        event.run(1, 'run.created', run('c', { pipeline_id: 'p' })),
        event.run(2, 'run.created', run('e', { pipeline_id: 'p', kind: 'evomerge', depends_on: 'c' })),
      );
      const found = await queries().pipeline('p');
      expect([found?.cognate.id, found?.evomerge?.id, found?.created_at]).toEqual(['c', 'e', timeOf(0)]);
      expect(await queries().pipeline('q')).toBeNull();
    });

    test('301 runs: counts, work and champion are those of all; pages reach the oldest', async () => {
      const kind = (index: number) => (index % 3 === 0 ? 'evomerge' : 'cognate') as RunKind;
      const created = (index: number) => ({ kind: kind(index), created_at: timeOf(Math.floor(index / 2)) });
      const heldout = (total: number) => ({ ...candidate('x', 0, 0).fitness, total });
      const bred = (index: number, champion_fitness: number, found: number | null) =>
        run(`${index}`.padStart(3, '0'), {
          ...created(index),
          status: 'succeeded',
          champion_fitness,
          champion_heldout: found === null ? null : heldout(found),
        });
      const runs = Array.from({ length: 301 }, (_, index) =>
        run(`${index}`.padStart(3, '0'), {
          ...created(index),
          status: index === 7 ? 'running' : index === 9 ? 'interrupted' : 'queued',
        }),
      );
      runs[0] = bred(0, 0.5, 0.7);
      runs[3] = bred(3, 0.9, 0.6);
      runs[6] = bred(6, 0.95, null);
      await apply(...runs.map((each, index) => event.run(index + 1, 'run.created', each)));

      const { counts, active, champion } = await queries().summary();
      const counted: Record<string, number> = {};
      for (const each of runs) {
        const of = `${each.kind} ${each.status}`;
        counted[of] = (counted[of] ?? 0) + 1;
      }
      expect(Object.fromEntries(counts.map((each) => [`${each.kind} ${each.status}`, each.count]))).toEqual(
        counted,
      );
      expect(active.map(({ id }) => id)).toEqual(['007', '009', '001', '002', '004', '005', '008', '010']);
      expect(champion).toEqual(runs[0]);

      for (const filter of [{}, { kind: 'evomerge' }, { status: 'queued' }] as Partial<Run>[]) {
        const listed: string[] = [];
        let cursor: string | null = null;
        do {
          const page: RunPage = await queries().runs({ ...filter, cursor, limit: 50 });
          listed.push(...page.items.map(({ id }) => id));
          cursor = page.next_cursor;
        } while (cursor);
        const want = runs.filter(
          ({ kind, status }) => (filter.kind ?? kind) === kind && (filter.status ?? status) === status,
        );
        expect(listed).toEqual(want.map(({ id }) => id).reverse());
      }
    });

    test('no champion was measured on held-out problems: the fittest; none at all: null', async () => {
      expect(await queries().summary()).toEqual({ counts: [], active: [], champion: null });
      await apply(
        event.run(1, 'run.created', run('a', { champion_fitness: 0.4 })),
        event.run(2, 'run.created', run('b', { champion_fitness: 0.6 })),
        event.run(3, 'run.created', run('c')),
      );
      expect((await queries().summary()).champion?.id).toBe('b');
    });

    test('10,240 candidates: pages reach every one, a snapshot has the newest and their number', async () => {
      const [GENERATIONS, POPULATION] = [160, 64];
      const all = Array.from({ length: GENERATIONS * POPULATION }, (_, index) =>
        candidate('r', Math.floor(index / POPULATION), index % POPULATION),
      );
      await apply(
        event.run(1, 'run.created', run('r', { kind: 'evomerge' })),
        ...all.map((each, index) => event.candidate(index + 2, each)),
      );
      const listed: string[] = [];
      let cursor: string | null = null;
      do {
        const page: CandidatePage = await queries().candidates('r', { cursor, limit: 500 });
        listed.push(...page.items.map(({ id }) => id));
        cursor = page.next_cursor;
      } while (cursor);
      expect(listed).toEqual(all.map(({ id }) => id));
      expect((await queries().candidates('r', { generation: 150, limit: 100 })).items).toEqual(
        all.filter(({ generation: index }) => index === 150),
      );
      const found = await snapshotOf(database.prisma, 'run:r', same);
      if (found?.snapshot?.kind !== 'run') throw new Error('there is no such snapshot');
      expect(found.snapshot.candidates).toEqual(all.slice(-512));
      expect(found.snapshot.candidate_count).toBe(all.length);
    });

    test('events of a topic after a cursor are those that the topic is told live', async () => {
      const log = Array.from({ length: 60 }, (_, index) => anyEvent(index + 1, index * 7));
      await apply(...log);
      for (const topic of ['runs', 'models', 'run:a', 'run:zzz'] as const) {
        const want = log.filter((item) => item.seq > 20 && item.seq <= 50 && topicsOf(item).includes(topic));
        expect(await queries().events({ topic, after: 20, until: 50, limit: 99 })).toEqual(want);
      }
      expect((await queries().events({ topic: 'runs', after: 0, limit: 2 })).length).toBe(2);
    });

    test('a snapshot is true at its cursor', async () => {
      await apply(event.run(1, 'run.created', run('r')), event.log(2, logLine('r', 'hello')));
      expect(await snapshotOf(database.prisma, 'run:r', same)).toEqual({
        epoch: EPOCH,
        seq: 2,
        snapshot: {
          kind: 'run',
          run: run('r'),
          evaluations: [],
          generations: [],
          candidates: [],
          candidate_count: 0,
          logs: [logLine('r', 'hello')],
        },
      });
      expect((await snapshotOf(database.prisma, 'run:none', same))?.snapshot).toBeNull();
      expect((await snapshotOf(database.prisma, 'runs', same))?.snapshot).toEqual({
        kind: 'runs',
        items: [run('r')],
      });
      expect((await snapshotOf(database.prisma, 'models', same))?.snapshot).toEqual({
        kind: 'models',
        items: [],
      });
    });

    test('a history that is being filled is seen by nobody until it is published', async () => {
      await apply(event.run(1, 'run.created', run('old')));
      const next = await beginHistory(database.prisma, 'epoch-b', NOW);
      await commit(database.prisma, next.id, [event.run(1, 'run.created', run('new'))], NOW);
      expect((await snapshotOf(database.prisma, 'runs', same))?.snapshot).toEqual({
        kind: 'runs',
        items: [run('old')],
      });
      await publishHistory(database.prisma, next.id);
      expect(await snapshotOf(database.prisma, 'runs', same)).toMatchObject({
        epoch: 'epoch-b',
        seq: 1,
        snapshot: { items: [{ id: 'new' }] },
      });
      await sweepHistories(database.prisma, [next.id]);
      expect(await database.prisma.run.count()).toBe(1);
    });

    test('batches of any cut give the rows of the pure fold', async () => {
      const log = fc.array(fc.nat(239), { minLength: 1, maxLength: 30 });
      const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 10 });
      await fc.assert(
        fc.asyncProperty(log, cuts, async (picks, sizes) => {
          await sweepHistories(database.prisma, []);
          history = (await beginHistory(database.prisma, EPOCH, NOW)).id;
          const events = picks.map((pick, index) => anyEvent(index + 1, pick));
          for (let from = 0, cut = 0; from < events.length; cut++) {
            const size = sizes[cut % sizes.length] ?? 1;
            // Each batch begins with what the one before has brought already.
            await apply(...events.slice(Math.max(0, from - 2), from + size));
            from += size;
          }
          const want = foldAll({ model: () => undefined }, events);
          const set = (rows: unknown[]) => new Set(rows.map((row) => JSON.stringify(row)));
          const { prisma } = database;
          for (const name of tableNames) {
            const stored = await prisma.$queryRaw<{ data: unknown }[]>`
              SELECT data FROM ${Prisma.raw(name)} WHERE history = ${history}`;
            const folded = Array.from<{ row: unknown }>(want[name].values());
            expect([name, set(stored.map(({ data }) => data))]).toEqual([
              name,
              set(folded.map(({ row }) => row)),
            ]);
          }
          const gone = await prisma.model.findMany({ where: { history, deletedAt: { not: null } } });
          expect(gone.length).toBe(
            [...want.model.values()].filter(({ deletedAt }) => deletedAt !== null).length,
          );
        }),
        // A case here is several transactions.
        { numRuns: Math.max(25, Math.ceil(options.cases / 100)), seed: options.seed },
      );
    });

    test('an event of a batch costs a small part of one alone, so that catching up is quick', async () => {
      const log = Array.from({ length: 5100 }, (_, index) =>
        event.candidate(index + 1, candidate('r', index, 0)),
      );
      const time = async (work: () => Promise<unknown>) => {
        const began = performance.now();
        await work();
        return performance.now() - began;
      };
      const alone = await time(async () => {
        for (const each of log.slice(0, 100)) await apply(each);
      });
      const together = await time(() => apply(...log.slice(100)));
      expect((await publishedHistory(database.prisma))?.seq).toBe(5100);
      // Of one machine in one minute: as a rate it would tell of the machine's other work. It was 1 to 30 or less.
      expect(together / 5000).toBeLessThan(alone / 100 / 5);
    });
  });
}
