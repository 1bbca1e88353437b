import { createHash } from 'node:crypto';
import type { Api, S } from './contract.js';

export type Proof = {
  ok: boolean;
  /** The champion's own verification; null where nothing was bred. */
  champion: S['Verification'] | null;
  models: S['Verification'][];
  candidates: S['Verification'][];
};

/** Rebuilding a deep recipe of large models can take minutes: the gateway has the time limit. */
const NO_LIMIT = { timeout: 0 };

/**
 * Verifies the champion, the parents and candidates drawn from the run's seed, each rebuilt from its recipe.
 * @param told is called after each verification
 */
export async function prove(
  api: Api,
  subject: { models: S['Model'][]; championId: string | null; candidates: string[] },
  told: (verification: S['Verification'], done: number, total: number) => void,
): Promise<Proof> {
  const { models, championId, candidates } = subject;
  const total = models.length + (championId ? 1 : 0) + candidates.length;
  let done = 0;
  const tell = (verification: S['Verification']) => {
    done += 1;
    told(verification, done, total);
    return verification;
  };
  const verifyModel = async (id: string, rebuild: boolean) =>
    tell(
      await api.post('/api/v1/models/{model_id}/verify', {
        path: { model_id: id },
        body: { rebuild },
        ...NO_LIMIT,
      }),
    );
  const checked: S['Verification'][] = [];
  for (const model of models) checked.push(await verifyModel(model.id, !isTrained(model)));
  const champion = championId ? await verifyModel(championId, true) : null;
  const rebuilt: S['Verification'][] = [];
  for (const id of candidates) {
    const path = { candidate_id: id };
    rebuilt.push(tell(await api.post('/api/v1/candidates/{candidate_id}/verify', { path, ...NO_LIMIT })));
  }
  const ok = [...checked, ...rebuilt, ...(champion ? [champion] : [])].every(
    (verification) => verification.ok,
  );
  return { ok, champion, models: checked, candidates: rebuilt };
}

/** A trained model's rebuild is its whole training again: not part of every report. */
function isTrained({ origin }: S['Model']): boolean {
  return origin.kind === 'trained' && origin.steps > 0;
}

/**
 * `size` different items, chosen by a counter from the seed, so that anybody can draw the same again:
 * the n-th draw is SHA-256(`<seed>:proof:<n>`), its first 48 bits modulo the number of items; repeats are passed over.
 */
export function draw<T>(items: T[], size: number, seed: number): T[] {
  const wanted = Math.min(size, items.length);
  const chosen = new Set<number>();
  for (let n = 0; chosen.size < wanted; n += 1) {
    const digest = createHash('sha256').update(`${seed}:proof:${n}`).digest();
    chosen.add(digest.readUIntBE(0, 6) % items.length);
  }
  return [...chosen].flatMap((index) => items[index] ?? []);
}
