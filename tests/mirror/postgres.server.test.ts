import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { openDatabase } from '../../gateway/src/database/database.js';
import { describeMirror } from './suite.js';

/** A server on which databases may be made and dropped; this suite is only chosen where it is named. */
const server = process.env.TEST_DATABASE_URL ?? '';

describeMirror('a PostgreSQL server', async () => {
  const name = `forge_test_${randomBytes(6).toString('hex')}`;
  const admin = new pg.Client({ connectionString: server });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  const database = await openDatabase({ folder: null, url: url.href });
  return {
    ...database,
    close: async () => {
      await database.close();
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      await admin.end();
    },
  };
});
