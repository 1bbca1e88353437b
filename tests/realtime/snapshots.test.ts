import { describe, expect, test } from '@jest/globals';
import type { SnapshotAt } from '../../gateway/src/mirror/snapshot.js';
import type { Topic } from '../../gateway/src/mirror/topic.js';
import { createGate } from '../../gateway/src/realtime/gate.js';
import { createSnapshots } from '../../gateway/src/realtime/snapshots.js';

const snapshot = { kind: 'runs' as const, items: [] };

function setUp({ most = 32 } = {}) {
  const state = { now: 0, seq: 1, reads: [] as Topic[], found: snapshot as SnapshotAt['snapshot'] };
  const read = async (topic: Topic): Promise<SnapshotAt> => {
    state.reads.push(topic);
    return { epoch: 'e', seq: state.seq, snapshot: state.found };
  };
  const snapshots = createSnapshots({
    read,
    cursor: () => ({ epoch: 'e', seq: state.seq }),
    gate: createGate(1),
    now: () => state.now,
    ageMs: 1_000,
    most,
  });
  return { state, snapshots };
}

describe('snapshots', () => {
  test('unchanged: never read again, true at the newest position', async () => {
    const { state, snapshots } = setUp();
    await snapshots.get('runs');
    Object.assign(state, { now: 1e9, seq: 7 });
    expect(await snapshots.get('runs')).toEqual({ epoch: 'e', seq: 7, snapshot });
    expect(state.reads).toEqual(['runs']);
  });

  test('changed: the same for a second with its own position, then read again', async () => {
    const { state, snapshots } = setUp();
    await snapshots.get('runs');
    state.seq = 2;
    snapshots.touch('runs');
    state.now = 999;
    expect((await snapshots.get('runs'))?.seq).toBe(1);
    state.now = 1_000;
    expect((await snapshots.get('runs'))?.seq).toBe(2);
    expect(state.reads).toHaveLength(2);
  });

  test('a run that is created after it was asked for is found', async () => {
    const { state, snapshots } = setUp();
    state.found = null;
    expect((await snapshots.get('run:r'))?.snapshot).toBeNull();
    state.found = snapshot;
    snapshots.touch('run:r');
    expect((await snapshots.get('run:r'))?.snapshot).toBe(snapshot);
  });

  test('what was asked for longest ago goes first', async () => {
    const { state, snapshots } = setUp({ most: 2 });
    for (const topic of ['runs', 'models', 'runs', 'run:r', 'runs', 'models'] as const)
      await snapshots.get(topic);
    expect(state.reads).toEqual(['runs', 'models', 'run:r', 'models']);
  });

  test('another history: nothing of the old one', async () => {
    const { state, snapshots } = setUp();
    await snapshots.get('runs');
    snapshots.clear();
    await snapshots.get('runs');
    expect(state.reads).toHaveLength(2);
  });

  test('a reading that fails is told to those who wait, and tried again by the next', async () => {
    let down = true;
    const snapshots = createSnapshots({
      read: async () => {
        if (down) throw new Error('away');
        return { epoch: 'e', seq: 1, snapshot };
      },
      cursor: () => ({ epoch: 'e', seq: 1 }),
      gate: createGate(1),
    });
    const both = await Promise.allSettled([snapshots.get('runs'), snapshots.get('runs')]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    down = false;
    expect((await snapshots.get('runs'))?.seq).toBe(1);
  });
});

describe('gate', () => {
  test('so many at once, in order, and past failures', async () => {
    const gate = createGate(2);
    const order: number[] = [];
    let underWay = 0;
    const results = await Promise.allSettled(
      Array.from({ length: 9 }, (_, index) =>
        gate(async () => {
          order.push(index);
          expect(++underWay).toBeLessThanOrEqual(2);
          await null;
          underWay--;
          if (index % 3 === 0) throw new Error('no');
        }),
      ),
    );
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(3);
  });
});
