import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { type Embedded, openEmbedded } from '../../gateway/src/database/embedded.js';
import {
  type Migration,
  MigrationError,
  migrate,
  pending,
  readMigrations,
} from '../../gateway/src/database/migrations.js';
import { root } from '../../gateway/src/root.js';
import { temporaryFolder } from '../backend/fixtures.js';

const migration = (name: string, sql: string): Migration => ({ name, sql, checksum: `sum of ${sql}` });
const A = migration('1_a', 'CREATE TABLE a (id int)');
const B = migration('2_b', 'CREATE TABLE b (id int)');
const ran = ({ name, checksum }: Migration, finished = true) => ({ name, checksum, finished });

describe('what is pending', () => {
  test.each([
    ['nothing has run', { known: [A, B], applied: [], want: [A, B] }],
    ['one has run', { known: [A, B], applied: [ran(A)], want: [B] }],
    ['all have run', { known: [A, B], applied: [ran(A), ran(B)], want: [] }],
  ])('%s', (_, { known, applied, want }) => {
    expect(pending(known, applied)).toEqual(want);
  });

  test.each([
    ['edited', { known: [{ ...A, checksum: 'other' }], applied: [ran(A)], message: '1_a was edited' }],
    ['unknown', { known: [A], applied: [ran(A), ran(B)], message: '2_b is unknown' }],
    ['failed', { known: [A], applied: [ran(A, false)], message: '1_a has failed halfway' }],
    ['inserted', { known: [A, B], applied: [ran(B)], message: '1_a was inserted before 2_b' }],
  ])('one that is %s is refused', (_, { known, applied, message }) => {
    expect(() => pending(known, applied)).toThrow(MigrationError);
    expect(() => pending(known, applied)).toThrow(message);
  });
});

describe('applied to a database', () => {
  let embedded: Embedded;
  let client: pg.Client;
  beforeAll(async () => {
    embedded = await openEmbedded(null);
    client = new pg.Client({
      host: embedded.host,
      port: embedded.port,
      user: 'postgres',
      database: 'postgres',
    });
    await client.connect();
  });
  afterAll(async () => {
    await client?.end();
    await embedded?.close();
  });
  beforeEach(async () => {
    await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  });

  test('once, in order, with the rows that Prisma reads', async () => {
    expect(await migrate(client, [A, B])).toEqual(['1_a', '2_b']);
    expect(await migrate(client, [A, B])).toEqual([]);
    const { rows } = await client.query(
      'SELECT migration_name, checksum, applied_steps_count, finished_at IS NOT NULL AS done FROM _prisma_migrations ORDER BY 1',
    );
    expect(rows).toEqual([
      { migration_name: '1_a', checksum: A.checksum, applied_steps_count: 1, done: true },
      { migration_name: '2_b', checksum: B.checksum, applied_steps_count: 1, done: true },
    ]);
  });

  test('one that fails leaves nothing behind, and the lock is given back', async () => {
    const broken = migration('2_broken', 'CREATE TABLE half (id int); SELECT nonsense');
    await expect(migrate(client, [A, broken])).rejects.toThrow('2_broken failed and was rolled back');
    expect((await client.query("SELECT to_regclass('half') AS half")).rows).toEqual([{ half: null }]);
    expect(await migrate(client, [A, B])).toEqual(['2_b']);
  });

  test('rows with a fitness of the old names are gone: the mirror fills itself again', async () => {
    const [first, ...later] = await readMigrations(join(root, 'prisma/migrations'));
    await migrate(client, first ? [first] : []);
    await client.query(`
      INSERT INTO history (epoch, seq, published) VALUES ('e', 1, true);
      INSERT INTO candidate (history, id, run_id, generation, slot, data)
        VALUES (1, 'c', 'r', 0, 0, '{"fitness": {"total": 0.5, "perplexity": 0.5}}')`);
    await migrate(client, first ? [first, ...later] : []);
    const { rows } = await client.query(
      'SELECT (SELECT count(*)::int FROM history) AS histories, (SELECT count(*)::int FROM candidate) AS candidates',
    );
    expect(rows).toEqual([{ histories: 0, candidates: 0 }]);
  });

  test("the product's own migrations run, and an edit of them is refused", async () => {
    const own = await readMigrations(join(root, 'prisma/migrations'));
    await migrate(client, own);
    const folder = await temporaryFolder();
    try {
      await cp(join(root, 'prisma/migrations'), folder.path, { recursive: true });
      const first = own[0]?.name ?? '';
      await writeFile(join(folder.path, first, 'migration.sql'), `${own[0]?.sql}\n-- edited`);
      await expect(readMigrations(folder.path).then((edited) => migrate(client, edited))).rejects.toThrow(
        'was edited',
      );
      await rm(join(folder.path, first), { recursive: true });
      await mkdir(join(folder.path, '99999999999999_new'));
      await writeFile(join(folder.path, '99999999999999_new/migration.sql'), 'SELECT 1');
      await expect(readMigrations(folder.path).then((less) => migrate(client, less))).rejects.toThrow(
        'is unknown',
      );
    } finally {
      await folder.remove();
    }
  });
});
