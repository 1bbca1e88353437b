/** The mirror's database: an embedded PostgreSQL under the data folder, or the one that DATABASE_URL names. */
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { PrismaClient } from '../generated/client.js';
import { root } from '../root.js';
import { migrate, readMigrations } from './migrations.js';

export type Database = {
  readonly kind: 'embedded' | 'server';
  readonly prisma: PrismaClient;
  close(): Promise<void>;
};

export type DatabaseSettings = {
  /** Folder of the embedded database, made where it is missing; null keeps it in memory. */
  folder: string | null;
  /** A PostgreSQL server to use instead. */
  url?: string | undefined;
  /** Told where the embedded database did not open and was moved to `folder`. */
  onSetAside?(folder: string, error: unknown): void;
};

/** Opens the database and brings it up to the newest migration. Throws MigrationError, or what the server says. */
export async function openDatabase({ folder, url, onSetAside }: DatabaseSettings): Promise<Database> {
  // Loaded where it is used: with a server, WebAssembly of 20 MB would be memory for nothing.
  const embedded = url ? null : await (await import('./embedded.js')).openEmbedded(folder, onSetAside);
  const pool = new pg.Pool(
    embedded
      ? // One connection: the embedded database is a single session, and mixes up the unnamed statements of two.
        { host: embedded.host, port: embedded.port, user: 'postgres', database: 'postgres', max: 1 }
      : { connectionString: url, max: 10, connectionTimeoutMillis: 10_000 },
  );
  // An idle connection that the server closes is replaced at the next query, which reports what is still wrong.
  pool.on('error', () => undefined);
  const close = async () => {
    await pool.end();
    await embedded?.close();
  };
  try {
    const client = await pool.connect();
    try {
      await migrate(client, await readMigrations(join(root, 'prisma/migrations')));
    } finally {
      client.release();
    }
    const prisma = new PrismaClient({
      adapter: new PrismaPg(pool),
      transactionOptions: { maxWait: 30_000, timeout: 60_000 },
    });
    return {
      kind: embedded ? 'embedded' : 'server',
      prisma,
      close: async () => {
        await prisma.$disconnect();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}
