/** Routes that the mirror answers, also while the backend is away: each answer says since when it may be stale. */
import type { Router } from 'express';
import { problem } from '../edge/problem.js';
import { type Answer, type Call, type PathsWith, route } from './route.js';
import type { Services } from './services.js';

/** The paths whose answer carries `stale_since`. */
export type MirroredPaths = {
  [P in PathsWith<'get'>]: Answer<P, 'get'> extends { stale_since: string | null } ? P : never;
}[PathsWith<'get'>];

/** Null where the thing that the path names does not exist. */
type Read<P extends MirroredPaths> = (
  call: Call<P, 'get'>,
) => Promise<Omit<Answer<P, 'get'>, 'stale_since'> | null>;

export type FromMirror = <P extends MirroredPaths>(path: P, read: Read<P>) => void;

export function fromMirror(router: Router, { staleSince }: Services): FromMirror {
  return function fromMirror<P extends MirroredPaths>(path: P, read: Read<P>) {
    route(router, 'get', path, async (call) => {
      const found = await read(call);
      if (found === null) throw unknown(call.path);
      return { ...found, stale_since: staleSince() } as Answer<P, 'get'>;
    });
  };
}

/** `{ run_id: 'x' }` → There is no run x. */
function unknown(path: object) {
  const [name, id] = Object.entries(path)[0] ?? [];
  return problem('not_found', `There is no ${name?.replace(/_id$/, '')} ${id}.`);
}
