/** Applies migrations at start-up, in the way of `prisma migrate deploy`, which can take over at any time. */
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClientBase } from 'pg';

/** The advisory lock that Prisma's own engine takes. */
const LOCK = 72707369;

const TABLE = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  finished_at TIMESTAMPTZ,
  migration_name VARCHAR(255) NOT NULL,
  logs TEXT,
  rolled_back_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  applied_steps_count INTEGER NOT NULL DEFAULT 0
)`;

export type Migration = { name: string; sql: string; checksum: string };
export type Applied = { name: string; checksum: string; finished: boolean };

export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/** Migrations of a folder as Prisma writes it, oldest first. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

/**
 * The migrations that are still to be applied.
 * Throws MigrationError where one that was applied has been edited since, has failed halfway, or is unknown here
 * (a newer version wrote it), or where a new one sorts before one that was applied.
 */
export function pending(known: readonly Migration[], applied: readonly Applied[]): Migration[] {
  for (const [index, was] of applied.entries()) {
    if (!was.finished)
      throw new MigrationError(`migration ${was.name} has failed halfway; restore the database`);
    const now = known.find(({ name }) => name === was.name);
    if (!now)
      throw new MigrationError(`migration ${was.name} is unknown: a newer version has used this database`);
    if (now.checksum !== was.checksum)
      throw new MigrationError(`migration ${was.name} was edited after it ran`);
    if (known[index]?.name !== was.name) {
      throw new MigrationError(
        `migration ${known[index]?.name} was inserted before ${was.name}, which has run`,
      );
    }
  }
  return known.slice(applied.length);
}

/** Names of the migrations that it applied. One transaction each; other starting processes wait. */
export async function migrate(client: ClientBase, migrations: readonly Migration[]): Promise<string[]> {
  await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
  try {
    await client.query(TABLE);
    const rows = await client.query<Applied>(
      `SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS finished
         FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY migration_name`,
    );
    const todo = pending(migrations, rows.rows);
    for (const migration of todo) await apply(client, migration);
    return todo.map(({ name }) => name);
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [LOCK]);
  }
}

async function apply(client: ClientBase, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, now(), 1)`,
      [randomUUID(), migration.checksum, migration.name],
    );
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK');
    throw new MigrationError(`migration ${migration.name} failed and was rolled back`, { cause });
  }
}
