import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Report } from '../../gateway/src/cli/report.js';
import { root } from '../../gateway/src/root.js';
import { safetensors } from '../gateway/safetensors.js';

const NANO_PARAMETERS = 877_577;
const TINY =
  '--preset nano --foundation-steps 4 --train-steps 4 --batch-tokens 256 --eval-problems 8 --heldout-problems 8';

const directory = mkdtempSync(join(tmpdir(), 'forge-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

type Outcome = { code: number | null; stdout: string; stderr: string };

/** The command as a person runs it, on a data directory of its own; it starts its own gateway, backend and worker. */
function forge(
  line: string | string[],
  seen: (text: string, interrupt: () => void) => void = () => {},
): Promise<Outcome> {
  const child = spawn(
    process.execPath,
    ['gateway/bin/forge.mjs', ...(typeof line === 'string' ? line.split(' ') : line)],
    {
      cwd: root,
      env: { ...process.env, DATA_DIR: directory, INIT_CWD: directory },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    seen(stderr, () => child.kill('SIGINT'));
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

const reportOf = ({ stdout }: Outcome) => JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Report;

describe('the whole pipeline, from the command line', () => {
  let first: Report;

  test('trains three models, breeds two generations, proves ten candidates', async () => {
    const outcome = await forge(`${TINY} --generations 2 --idempotency-key once --json`);
    expect([outcome.code, outcome.stderr]).toEqual([0, expect.stringContaining('succeeded')]);
    first = reportOf(outcome);
    expect(first).toMatchObject({ ok: true, proof: { ok: true, champion: { ok: true } } });
    expect(first.models.map(({ parameters }) => parameters)).toEqual(Array(3).fill(NANO_PARAMETERS));
    for (const { path, bytes, digest, metrics } of [
      ...first.models,
      ...(first.champion ? [first.champion] : []),
    ]) {
      expect(statSync(path).size).toBe(bytes);
      expect(digest).toMatch(/^[0-9a-f]{64}$/);
      expect(Object.keys(metrics).length).toBeGreaterThan(0);
    }
    expect(first.fitness_history.map(({ generation }) => generation)).toEqual([0, 1]);
    expect(first.champion?.fitness.total).toBe(Math.max(...first.fitness_history.map(({ best }) => best)));
    expect(first.baselines.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['uniform_average', 'best_generation_0']),
    );
    expect(first.aligned_to).toBeNull();
    expect(first.barriers.map(({ before, after }) => [before.points.length, after])).toEqual(
      Array(3).fill([5, null]),
    );
    expect(new Set(first.proof?.candidates.map(({ subject_id }) => subject_id)).size).toBe(10);
    for (const { checks } of first.proof?.candidates ?? []) {
      expect(checks).toContainEqual(expect.objectContaining({ name: 'rebuild', status: 'passed' }));
    }
    expect(new Set(first.heldout.map(({ dataset }) => dataset)).size).toBe(3);
    expect(first.timings.evomerge?.total).toBeGreaterThan(0);
  });

  test('the same order again is the same run, also after a restart of everything', async () => {
    const outcome = await forge(`${TINY} --generations 2 --idempotency-key once --proofs 1 --json`);
    expect(outcome.code).toBe(0);
    const again = reportOf(outcome);
    expect(again.pipeline).toBe(first.pipeline);
    expect(again.champion?.digest).toBe(first.champion?.digest);
    expect(again.proof?.candidates[0]?.subject_id).toBe(first.proof?.candidates[0]?.subject_id);
  });

  test('an untrained creation is timed beside the plain way, and printed for a person', async () => {
    const { code, stdout } = await forge('--foundation-steps 0 --train-steps 0 --generations 0');
    expect([code, stdout]).toEqual([0, expect.stringContaining('Proof: holds')]);
    expect(stdout).toMatch(
      /created, saved and registered in [\d.]+ s; constructed plainly with torch\.save [\d.]+ s/,
    );
  });
});

describe('a folder that is brought', () => {
  const folder = join(directory, 'a model');
  beforeAll(() => {
    mkdirSync(join(folder, 'original'), { recursive: true });
    writeFileSync(join(folder, 'model.safetensors'), safetensors(1000));
    writeFileSync(join(folder, 'README.md'), 'Of numbers.');
    writeFileSync(join(folder, 'modeling.py'), 'raise SystemExit');
    writeFileSync(join(folder, 'original', 'model.safetensors'), safetensors(10));
  });

  test('becomes a model, and says what it left out', async () => {
    const { code, stdout, stderr } = await forge(['import', 'a model', '--json']);
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ status: 'succeeded' })]);
    expect(stderr).toContain('a_model: 1,000 parameters');
    expect(stderr).toContain('modeling.py is left out: it is code');
    expect(stderr).toContain('original/model.safetensors is left out');
  });

  test('the same name again is taken, and what is no folder is said at once', async () => {
    const again = await forge(['import', 'a model']);
    expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('there is an imported model')]);
    const linked = await forge(['import', 'a model', '--linked', '--name', 'linked']);
    expect([linked.code, linked.stderr]).toEqual([1, expect.stringContaining('AGENT_FORGE_MODEL_ROOTS')]);
    const { code, stderr } = await forge('import nowhere');
    expect([code, stderr]).toEqual([2, expect.stringContaining('cannot be read')]);
  });
});

describe('what does not succeed', () => {
  test('a data set that is not there: the field and the reason, nothing created', async () => {
    const { code, stderr, stdout } = await forge('--dataset file:missing.jsonl');
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/cognate\.datasets/);
    expect(stderr).toContain('missing.jsonl');
  });

  test('an interrupt without a terminal cancels and says so by its exit code', async () => {
    let interrupted = false;
    const { code, stderr } = await forge(
      '--preset nano --foundation-steps 100000 --generations 1',
      (text, interrupt) => {
        if (interrupted || !text.includes('running')) return;
        interrupted = true;
        interrupt();
      },
    );
    expect([code, stderr]).toEqual([130, expect.stringContaining('cancelled')]);
  });
});
