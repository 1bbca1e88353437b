import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type Page,
} from 'playwright-core';
import type { Run } from '../../openapi/backend.js';
import { PATIENCE_MS } from '../backend/fixtures.js';
import { safetensors } from '../gateway/safetensors.js';
import { overflow, violations } from './accessibility.js';
import { type Stack, startStack } from './stack.js';

/** A person's way through the product, in order: each test goes on from where the one before it ended. */

jest.setTimeout(1_500_000);

const CHROMIUM_FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const LIVE_MS = 1_200_000;

let stack: Stack;
let browser: Browser;
let page: Page;
const faults: string[] = [];

/** Waits are limits on hanging, not on speed. */
async function newContext(options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

async function openPage(path: string, options: { width?: number; dark?: boolean } = {}): Promise<Page> {
  const context = await newContext({
    viewport: { width: options.width ?? 1280, height: 860 },
    colorScheme: options.dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  const opened = await context.newPage();
  opened.on('pageerror', (error) => faults.push(error.message));
  await opened.goto(`${stack.url}${path}#token=${stack.token}`);
  return opened;
}

async function runs(): Promise<readonly Run[]> {
  return (await stack.api.get('/api/v1/runs')).items;
}

beforeAll(async () => {
  stack = await startStack();
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: CHROMIUM_FLAGS,
  });
});

afterAll(async () => {
  await browser?.close();
  await stack?.stop();
});

test('without a token the page says where to find it; a wrong one is refused', async () => {
  const context = await newContext();
  const stranger = await context.newPage();
  await stranger.goto(stack.url);
  await stranger.getByRole('heading', { name: 'This page needs its token' }).waitFor();
  expect(await violations(stranger)).toEqual([]);
  await stranger.getByLabel('Token').fill('not-the-token-of-this-gateway');
  await stranger.getByRole('button', { name: 'Continue' }).click();
  await stranger.getByRole('heading', { name: 'The gateway refused this token' }).waitFor();
  await context.close();
});

test('the token leaves the address, and the forecast comes before the start', async () => {
  page = await openPage('/');
  await page.getByTestId('connection').getByText('Live').waitFor();
  expect(page.url()).toBe(`${stack.url}/`);
  await page.getByRole('button', { name: 'Training settings' }).click();
  for (const [name, value] of [
    ['cognate.foundation_steps', '6'],
    ['cognate.train_steps', '2'],
    ['cognate.batch_tokens', '256'],
    ['cognate.eval_problems', '8'],
    ['evomerge.eval_problems', '8'],
    ['evomerge.heldout_problems', '8'],
  ]) {
    await page.locator(`input[name="${name}"]`).fill(value ?? '');
  }
  await page.getByLabel('Generations').fill('2');
  const forecast = page.getByRole('region', { name: 'Forge' });
  await forecast.getByText('877,577 parameters each').waitFor();
  await forecast.getByText('12 steps').waitFor();
  await forecast.getByText('16', { exact: true }).waitFor();
});

test('a value out of range is refused at its field, with the allowed range', async () => {
  await page.getByLabel('Generations').fill('5000');
  await page
    .getByText(/1 to 1,?000|less than or equal to 1000/)
    .first()
    .waitFor();
  expect(await page.getByTestId('forge').isDisabled()).toBe(true);
  expect(await runs()).toHaveLength(0);
  await page.getByLabel('Generations').fill('2');
  await page.locator('[data-testid=forge]:enabled').waitFor();
});

test('Forge trains three parents and breeds a champion, live, and the champion is proved', async () => {
  await page.getByTestId('forge').click();
  const shown = new Set<string>();
  const deadline = Date.now() + LIVE_MS;
  let bred = false;
  while (!bred && Date.now() < deadline) {
    for (const text of await page.getByTestId('progress-figures').allTextContents()) shown.add(text);
    bred = (await runs()).filter(({ status }) => status === 'succeeded').length === 2;
    await page.waitForTimeout(200);
  }
  expect(bred).toBe(true);
  // several positions were seen on the way, each a whole number of steps or candidates
  expect([...shown].filter((text) => / of \d+ (steps|candidates) /.test(text)).length).toBeGreaterThan(3);

  const evomerge = (await runs()).find(({ kind }) => kind === 'evomerge') as Run;
  const champion = page.getByRole('region', { name: 'Champion' });
  await champion.getByText((evomerge.champion_fitness as number).toFixed(4), { exact: true }).waitFor();
  await champion.getByRole('button', { name: 'Verify' }).click();
  const proof = champion.getByTestId('verification');
  await proof.waitFor();
  expect(await proof.getAttribute('data-ok')).toBe('true');
  expect(await proof.getByText('passed').count()).toBe(3);
});

test('the tournament shows the eight of each generation as they were evaluated', async () => {
  const { id } = (await runs()).find(({ kind }) => kind === 'evomerge') as Run;
  await page.getByRole('region', { name: 'Champion' }).locator(`a[href="/evomerge/${id}"]`).click();
  await page.getByRole('heading', { name: 'Generation 1' }).waitFor();
  const cards = page.getByTestId('candidate');
  expect(await cards.count()).toBe(8);
  const { items } = await stack.api.get('/api/v1/runs/{run_id}/candidates', {
    path: { run_id: id },
    query: { generation: 1 },
  });
  const text = await cards.allTextContents();
  expect(items).toHaveLength(8);
  for (const { slot, fitness } of items) expect(text[slot]).toContain(fitness.total.toFixed(4));
  for (const { slot, id: candidate } of items)
    expect(text[slot]).toContain(/g\d+\.s\d+$/.exec(candidate)?.[0]);
  // a role says what it means to whoever comes by the keyboard, too
  await cards.first().getByRole('button').first().focus();
  await page.keyboard.press('Tab');
  await page.getByRole('tooltip').waitFor();
  expect(await violations(page)).toEqual([]);
  await page.keyboard.press('Escape');
  await cards.first().click();
  await page.getByRole('dialog').getByRole('heading', { name: 'Recipe' }).waitFor();
  await page.keyboard.press('Escape');
});

test('the verdict of the report stands above the figures that it rests on', async () => {
  const { id } = (await runs()).find(({ kind }) => kind === 'evomerge') as Run;
  const found = await stack.api.get('/api/v1/runs/{run_id}/report', { path: { run_id: id } });
  if (found.kind !== 'evomerge') throw new Error('the report is of another phase');
  const panel = page.getByRole('region', { name: 'Verdict' });
  const verdict = panel.getByTestId('verdict');
  expect(await verdict.getAttribute('data-level')).toBe(found.verdict.level);
  expect(await verdict.textContent()).toContain(found.verdict.sentence);
  const rows = await panel.getByTestId('comparison').locator('tbody tr').allTextContents();
  const best = [
    found.verdict.best_merge,
    found.champion_heldout && { fitness: found.champion_heldout.total },
  ];
  for (const [place, row] of [0, rows.length - 2].entries())
    expect(rows[row]).toContain(best[place]?.fitness?.toFixed(4));
  expect(rows[0]).toContain('Best single merge');
  expect(rows.at(-1)).toContain('Best parent');
});

test('what lies between every two parents is drawn, with the barrier that was measured', async () => {
  const { id } = (await runs()).find(({ kind }) => kind === 'evomerge') as Run;
  const report = await stack.api.get('/api/v1/runs/{run_id}/report', { path: { run_id: id } });
  if (report.kind !== 'evomerge') throw new Error(`the report of ${id} is of a ${report.kind} run`);
  const paths = page.getByRole('region', { name: 'Between the parents' }).getByTestId('barrier');
  await paths.first().waitFor();
  const drawn = await paths.allTextContents();
  expect(report.barriers).toHaveLength(3);
  expect(drawn).toHaveLength(3);
  for (const [index, { before }] of report.barriers.entries()) {
    expect(drawn[index]).toContain(`${before.barrier?.toFixed(2)} nats`);
    expect(await paths.nth(index).locator('circle').count()).toBe(before.points.length);
  }
  expect(drawn[0]).toContain('reasoning – memory integration');
});

test('the Pareto front is drawn by any two objectives, and opens its candidates', async () => {
  const { id } = (await runs()).find(({ kind }) => kind === 'evomerge') as Run;
  const found = await stack.api.get('/api/v1/runs/{run_id}/report', { path: { run_id: id } });
  if (found.kind !== 'evomerge') throw new Error('the report is of another phase');
  const { pareto_front } = found;
  const front = page.getByRole('region', { name: 'Pareto front', exact: true });
  const chart = front.getByRole('img');
  for (const [across, up] of [
    ['Arithmetic, accuracy', 'Tensor bytes'],
    ['Fitness', 'Recall, accuracy'],
  ] as const) {
    await front.getByLabel('X axis').selectOption({ label: across });
    await front.getByLabel('Y axis').selectOption({ label: up });
    await front.getByRole('img', { name: `${up} by ${across}: ${pareto_front.length} candidates` }).waitFor();
    // the champion stands beside, whether it is on the front or not
    expect(await chart.locator('circle').count()).toBe(pareto_front.length + 1);
  }
  const rows = await front.getByRole('row').allTextContents();
  expect(rows).toHaveLength(pareto_front.length + 1);
  for (const [place, { fitness }] of pareto_front.entries()) {
    expect(rows[place + 1]).toContain(fitness.toFixed(4));
  }
  await front.getByRole('button').first().click();
  await page.getByRole('dialog').getByRole('heading', { name: 'Recipe' }).waitFor();
  await page.keyboard.press('Escape');
});

test('another strategy is chosen in the form, its limits are told, and its candidates are shown', async () => {
  const { items } = await stack.api.get('/api/v1/models', { query: { kind: 'specialist' } });
  await page.goto(`${stack.url}/evomerge?parents=${items.map(({ id }) => id).join(',')}`);
  await page.locator('select[name="strategy"]').selectOption('de');
  for (const [name, value] of [
    ['generations', '2'],
    ['eval_problems', '8'],
    ['heldout_problems', '8'],
    ['population', '3'],
  ]) {
    await page.locator(`input[name="${name}"]`).fill(value ?? '');
  }
  await page.getByText('does not fit the strategy de (allowed: 4 to 64)').first().waitFor();
  await page.locator('input[name="population"]').fill('4');
  await page.locator('[data-testid=start-evomerge]:enabled').click();
  await page.getByText('Differential evolution').waitFor();
  await page.getByRole('heading', { name: 'Generation 1' }).waitFor();
  await page.getByTestId('candidate').nth(3).getByText('asked').waitFor();
  const { id } = (await runs())[0] as Run;
  const deadline = Date.now() + LIVE_MS;
  while ((await runs())[0]?.status !== 'succeeded' && Date.now() < deadline) await page.waitForTimeout(200);
  const found = await stack.api.get('/api/v1/runs/{run_id}', { path: { run_id: id } });
  expect([found.status, found.settings?.strategy]).toEqual(['succeeded', 'de']);
});

test('every page: no violation of WCAG by axe, and nothing wider than a phone', async () => {
  const all = await runs();
  const models = (await stack.api.get('/api/v1/models')).items;
  const paths = [
    '/',
    '/cognate',
    ...all.map(({ kind, id }) => `/${kind}/${id}`),
    `/evomerge?parents=${models
      .filter(({ kind }) => kind === 'specialist')
      .map(({ id }) => id)
      .join(',')}`,
    '/runs',
    `/runs/${all[0]?.id}`,
    '/models',
    ...['parameters', 'recipe', 'lineage', 'metrics', 'try'].map(
      (tab) => `/models/${models[0]?.id}?tab=${tab}`,
    ),
    '/system',
  ];
  const found: string[] = [];
  for (const [width, dark] of [
    [1280, false],
    [380, true],
  ] as const) {
    const visitor = await openPage('/', { width, dark });
    for (const path of paths) {
      await visitor.goto(`${stack.url}${path}`);
      await visitor.getByRole('heading', { level: 1 }).waitFor();
      await visitor.waitForLoadState('networkidle', { timeout: 3000 }).catch(() => {
        // pages that ask for the system's state again and again never fall silent
      });
      for (const violation of await violations(visitor)) found.push(`${path} ${width}: ${violation}`);
      if ((await overflow(visitor)) > 0) found.push(`${path} is wider than ${width} px`);
    }
    await visitor.context().close();
  }
  expect(found).toEqual([]);
});

test('a champion and its parents are asked the same, and each token shows what else was likely', async () => {
  const evomerge = (await runs()).find(({ kind }) => kind === 'evomerge') as Run;
  const parents = evomerge.evomerge?.parents ?? [];
  const visitor = await openPage(`/models/${evomerge.champion_model_id}?tab=try`, { width: 380 });
  await visitor.getByLabel('Prompt').fill('1+2+3=');
  await visitor.getByLabel('Max tokens').fill('2');
  await visitor.getByRole('button', { name: 'Ask', exact: true }).click();
  for (let place = 0; place <= parents.length; place++) {
    await visitor
      .getByRole('status')
      .filter({ hasText: / tokens in / })
      .nth(place)
      .waitFor();
  }
  expect(await violations(visitor)).toEqual([]);
  expect(await overflow(visitor)).toBeLessThanOrEqual(0);
  await visitor.context().close();
});

test('a folder is brought file by file, and its model is shown', async () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'brought-')), 'numbers');
  mkdirSync(folder);
  writeFileSync(join(folder, 'model.safetensors'), safetensors(1000));
  writeFileSync(join(folder, 'README.md'), 'Of numbers.');
  writeFileSync(join(folder, 'modeling.py'), 'raise SystemExit');
  await page.goto(`${stack.url}/models`);
  await page.getByTestId('import-model').click();
  await page.getByTestId('folder-input').setInputFiles(folder);
  await page.getByText('numbers: 3 files').waitFor();
  expect(await violations(page)).toEqual([]);
  await page.getByTestId('confirm-folder').click();
  await page.waitForURL(/\/models\/mdl_/);
  await page.getByRole('heading', { name: 'numbers' }).waitFor();
  const shown = await page.locator('main').innerText();
  expect(shown).toContain('imported/numbers/model.safetensors');
  expect(shown).not.toContain('modeling.py');
});

test('models are merged by a method, and a configuration is refused at its line', async () => {
  const { items } = await stack.api.get('/api/v1/models', { query: { kind: 'specialist' } });
  const [first, second] = items.map(({ name }) => name) as [string, string];
  const visitor = await openPage('/merge', { width: 390, dark: true });
  await visitor.getByRole('checkbox', { name: first }).check();
  await visitor.getByRole('checkbox', { name: second }).check();
  expect(await visitor.getByRole('checkbox', { name: 'numbers' }).isDisabled()).toBe(true);
  await visitor.getByLabel('Merge method').selectOption('ties');
  await visitor.getByLabel(`Weight of ${second}`).fill('0.5');
  await visitor.getByText('67 %').waitFor();
  const forecast = visitor.getByRole('region', { name: 'Forecast' });
  await forecast.getByText('877,577').waitFor();
  await forecast.getByText('As a merge configuration').click();
  await forecast
    .getByRole('button', { name: 'Edit as YAML' })
    .or(forecast.getByText('has no words'))
    .waitFor();
  expect(await violations(visitor)).toEqual([]);
  expect(await overflow(visitor)).toBeLessThanOrEqual(0);
  await visitor.getByLabel('Name in the registry').fill('two-as-one');
  await visitor.locator('[data-testid=start-merge]:enabled').click();
  await visitor.getByTestId('merged-model').waitFor();
  expect(await violations(visitor)).toEqual([]);
  await visitor.getByTestId('merged-model').click();
  await visitor.waitForURL(/\/models\/mdl_/);

  await visitor.goto(`${stack.url}/merge?as=yaml`);
  await visitor
    .getByRole('textbox', { name: 'Merge configuration' })
    .fill(`merge_method: linear\nmodels: [{model: ${first}}]\nlora: 1`);
  await visitor.getByTestId('configuration-fault').getByRole('button', { name: 'Line 3' }).waitFor();
  expect(await violations(visitor)).toEqual([]);
  await visitor.context().close();
});

test('a page whose code could not be fetched says so, hinders no other page, and heals by itself', async () => {
  const context = await newContext({ viewport: { width: 1280, height: 860 } });
  const visitor = await context.newPage();
  visitor.on('pageerror', (error) => faults.push(error.message));
  await visitor.route('**/assets/system-page-*.js', (route) => route.abort());
  await visitor.goto(`${stack.url}/#token=${stack.token}`);
  const menu = visitor.getByRole('navigation', { name: 'Pages' });
  await menu.getByRole('link', { name: 'System' }).click();
  const missing = visitor.getByTestId('missing-code');
  await missing.getByText('The gateway has not delivered the page “System” yet').waitFor();
  expect(await violations(visitor)).toEqual([]);
  await menu.getByRole('link', { name: 'Models' }).click();
  await visitor.getByRole('heading', { level: 1, name: 'Models' }).waitFor();
  expect(await missing.count()).toBe(0);
  await menu.getByRole('link', { name: 'System' }).click();
  await missing.getByRole('button', { name: 'Reload' }).waitFor();
  await visitor.unroute('**/assets/system-page-*.js');
  await visitor.getByRole('heading', { name: 'Gateway and mirror' }).waitFor();
  await context.close();
});

test('every page is there although the gateway has gone since the first one was shown', async () => {
  const visitor = await openPage('/');
  await visitor.getByTestId('connection').getByText('Live').waitFor();
  await visitor.waitForFunction(
    (wanted) => {
      const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
      return wanted.every((part) => loaded.some((name) => name.includes(`/assets/${part}-`)));
    },
    ['evomerge-page', 'merge-page', 'cognate-page', 'cognate-run-page', 'model-page', 'system-page'],
  );
  await visitor.context().setOffline(true);
  const menu = visitor.getByRole('navigation', { name: 'Pages' });
  for (const name of ['Cognate', 'Merge', 'EvoMerge', 'Runs', 'Models', 'System']) {
    await menu.getByRole('link', { name: new RegExp(`^${name}`) }).click();
    await visitor.getByRole('heading', { level: 1, name, exact: true }).waitFor();
  }
  await visitor.context().close();
});

test('a killed backend is told while it is away, and the page recovers by itself', async () => {
  await page.goto(stack.url);
  await page.getByTestId('connection').getByText('Live').waitFor();
  const { gateway } = await stack.api.get('/api/v1/system');
  const banner = page.getByTestId('connection-banner');
  expect(await banner.count()).toBe(0);
  process.kill(gateway.pid as number, 'SIGKILL');
  await banner.getByText(/Last data \d\d:\d\d:\d\d/).waitFor();
  expect(await page.getByTestId('forge').isDisabled()).toBe(true);
  await page.getByTestId('connection').getByText('Live').waitFor();
  await banner.waitFor({ state: 'detached' });
  // Its forecast failed in between, and is asked for again without a click.
  await page.locator('[data-testid=forge]:not([disabled])').waitFor();
  expect((await stack.api.get('/api/v1/system')).gateway.pid).not.toBe(gateway.pid);
});

test('more runs than a list holds: the champion stays, the queue is folded, pages reach all', async () => {
  const QUEUED = 110;
  const before = (await stack.api.get('/api/v1/runs/summary')).counts.reduce(
    (sum, { count }) => sum + count,
    0,
  );
  const made: string[] = [];
  for (let index = 0; index < QUEUED; index++) {
    const body = { preset: 'nano', foundation_steps: 20_000 } as const;
    made.push((await stack.api.post('/api/v1/cognate/runs', { body })).id);
  }
  const { champion, active } = await stack.api.get('/api/v1/runs/summary');
  await page.goto(stack.url);
  const panel = page.getByRole('region', { name: 'Champion' });
  await panel.getByRole('link', { name: champion?.name as string }).waitFor();
  await panel
    .getByText(champion?.champion_heldout?.total.toFixed(4) as string, { exact: true })
    .first()
    .waitFor();
  const now = page.getByRole('region', { name: 'Now', exact: true });
  await now.getByRole('link', { name: `and ${QUEUED - 3} more` }).waitFor();
  expect(await now.getByTestId('running').count()).toBe(3);
  await now.getByRole('link', { name: active[0]?.name as string }).waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollHeight)).toBeLessThan(2500);

  await now.getByRole('link', { name: `and ${QUEUED - 3} more` }).click();
  await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
  await page.getByText(`50 of ${before + QUEUED} shown`).waitFor();
  const rows = page.getByRole('row');
  expect(await rows.nth(1).getByRole('link').getAttribute('href')).toBe(`/runs/${made.at(-1)}`);
  for (const shown of [100, before + QUEUED]) {
    await page.getByRole('button', { name: 'More' }).click();
    await rows.nth(shown).waitFor();
    expect(await rows.count()).toBe(shown + 1);
  }
  expect(await page.getByRole('button', { name: 'More' }).count()).toBe(0);
});

test('no script of the page has failed on the way', () => {
  expect(faults).toEqual([]);
});
