/** The bearer token: made at the first start, kept in a file that only its owner reads. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, link, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const TOKEN_FILE = 'gateway.token';
const SHAPE = /^[A-Za-z0-9._~-]{24,200}$/;

/** The token in `directory`, made if there is none. Throws where the file holds something else. */
export async function loadToken(directory: string): Promise<string> {
  const path = join(directory, TOKEN_FILE);
  const found = await read(path);
  if (found !== undefined) return found;
  // Written aside and linked: of two gateways that start at once, one makes it and the other reads it whole.
  const aside = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  await writeFile(aside, `${randomBytes(32).toString('base64url')}\n`, {
    mode: 0o600,
    flag: 'wx',
    flush: true,
  });
  try {
    await link(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(aside);
  }
  const token = await read(path);
  if (token === undefined) throw new Error(`${path} vanished while it was made`);
  return token;
}

async function read(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const token = text.trim();
  if (!SHAPE.test(token)) throw new Error(`${path} holds no token; delete it to have a new one made`);
  await chmod(path, 0o600);
  return token;
}

/** Whether a presented token is the right one, in a time that does not tell how much of it is right. */
export function tokenChecker(token: string): (presented: string | undefined) => boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return (presented) => presented !== undefined && timingSafeEqual(digest(presented), expected);
}

/** The token in `Authorization: Bearer …`. */
export function bearerOf(header: string | undefined): string | undefined {
  return /^Bearer ([A-Za-z0-9._~+/=-]{1,400})$/i.exec(header ?? '')?.[1];
}
