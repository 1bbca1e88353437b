import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { openDatabase } from '../../gateway/src/database/database.js';
import { takeLock } from '../../gateway/src/database/lock.js';
import { temporaryFolder } from '../backend/fixtures.js';

test('a lock that a live process holds is refused; a dead one’s is taken over', async () => {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'db.lock');
  const release = await takeLock(path);
  await expect(takeLock(path)).rejects.toThrow(`in use by process ${process.pid}`);
  await release();
  expect(existsSync(path)).toBe(false);
  for (const left of [
    '{"pid":999999999,"started":"1"}',
    `{"pid":${process.pid},"started":"1"}`,
    '{"pi',
    '',
  ]) {
    await writeFile(path, left);
    await (await takeLock(path))();
  }
  await folder.remove();
});

test('what was committed is there after the process was killed, and two at once are refused', async () => {
  const folder = await temporaryFolder();
  const data = join(folder.path, 'mirror');
  const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const writer = spawn(
    process.execPath,
    ['--import', here('../backend/typescript.mjs'), here('writer.ts'), data],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    },
  );
  let acknowledged = 0;
  writer.stdout.on('data', (text: Buffer) => {
    const lines = text.toString().trim().split('\n');
    acknowledged = Number(lines.at(-1));
  });
  while (acknowledged < 20) await once(writer.stdout, 'data');
  await expect(openDatabase({ folder: data })).rejects.toThrow(`in use by process ${writer.pid}`);
  writer.kill('SIGKILL');
  await once(writer, 'exit');
  const database = await openDatabase({ folder: data });
  expect(await database.prisma.history.count()).toBeGreaterThanOrEqual(acknowledged);
  await database.close();
  await folder.remove();
});
