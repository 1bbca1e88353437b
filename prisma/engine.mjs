// Prisma's schema engine as WebAssembly: the migrate commands of Prisma's own command line need a binary that is
// downloaded at run time. Both databases it needs, the one to look at and the shadow, live in memory.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import pg from 'pg';

const CHAR = 18;
const TEXT = 25;
const require = createRequire(import.meta.url);

/** The part of WebAssembly's API in use: its types belong to the DOM library, which Node code does not load. */
const wasmApi =
  /** @type {{ instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: object } }> }} */ (
    /** @type {any} */ (globalThis).WebAssembly
  );

/** @typedef {import('@prisma/schema-engine-wasm').SchemaEngine} SchemaEngine */

/** @returns {Promise<typeof import('@prisma/schema-engine-wasm').SchemaEngine>} */
async function load() {
  const bindings = await import('@prisma/schema-engine-wasm/schema_engine_bg');
  const folder = dirname(require.resolve('@prisma/schema-engine-wasm'));
  const { instance } = await wasmApi.instantiate(await readFile(join(folder, 'schema_engine_bg.wasm')), {
    './schema_engine_bg.js': /** @type {any} */ (bindings),
  });
  const wasm = /** @type {any} */ (instance.exports);
  /** @type {any} */ (bindings).__wbg_set_wasm(wasm);
  wasm.__wbindgen_start();
  return bindings.SchemaEngine;
}

/** An empty PostgreSQL in memory, reachable by a driver adapter. */
async function scratch() {
  const db = await PGlite.create();
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 10 });
  await server.start();
  const port = Number(server.getServerConn().split(':').at(-1));
  const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres', max: 1 });
  const query = /** @type {(...args: unknown[]) => Promise<pg.QueryResult>} */ (pool.query.bind(pool));
  // The engine reads catalogue columns of type "char", which the adapter refuses: they are handed on as text.
  pool.query = /** @type {any} */ (
    async (/** @type {unknown[]} */ ...args) => {
      const result = await query(...args);
      for (const field of result.fields ?? []) if (field.dataTypeID === CHAR) field.dataTypeID = TEXT;
      return result;
    }
  );
  return {
    adapter: new PrismaPg(pool),
    close: async () => {
      await pool.end();
      await server.stop();
      await db.close();
    },
  };
}

/**
 * Runs `use` with a schema engine over the datamodel.
 * @template T
 * @param {{ path: string, content: string }} datamodel
 * @param {(engine: SchemaEngine) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function withEngine(datamodel, use) {
  const Engine = await load();
  const main = await scratch();
  const shadow = await scratch();
  try {
    const factory = bindMigrationAwareSqlAdapterFactory({
      provider: 'postgres',
      adapterName: main.adapter.adapterName,
      connect: () => main.adapter.connect(),
      connectToShadowDb: () => shadow.adapter.connect(),
    });
    const options = { datamodels: /** @type {[string, string][]} */ ([[datamodel.path, datamodel.content]]) };
    const engine = await Engine.new(options, () => undefined, factory);
    try {
      return await use(engine);
    } finally {
      engine.free();
    }
  } finally {
    await main.close();
    await shadow.close();
  }
}
