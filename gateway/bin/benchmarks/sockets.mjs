/**
 * A crowd at the gateway during a run: every socket subscribes to two topics while events flow, and another process
 * reads `GET /api/v1/runs` all the time. Usage: npm run bench -- sockets [--sockets 1000] [--runs 100] [--seconds 20]
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { io } from 'socket.io-client';
import { main, say } from '../setup/console.mjs';
import { root } from '../setup/steps.mjs';

/** @typedef {{ url: string, token: string }} Address */
/** @typedef {{ at: number, ms: number }} Reading */
/** @typedef {{ topic: string, from: number, seqs: number[] }} Heard */

/** Pause between two sockets that connect: a crowd comes in seconds, not in one instant. */
const APART_MS = 4;
const PATIENCE_MS = 120_000;

const { values } = parseArgs({
  options: {
    sockets: { type: 'string', default: '1000' },
    runs: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '20' },
  },
});

await main(async () => {
  if (process.send) return read(/** @type {Address} */ ((await once(process, 'message'))[0]));
  const [sockets, runs, seconds] = [Number(values.sockets), Number(values.runs), Number(values.seconds)];
  const data = await mkdtemp(join(tmpdir(), 'forge-bench-'));
  const gateway = spawn(process.execPath, [join(root, 'gateway/dist/gateway/src/main.js')], {
    cwd: root,
    env: { ...process.env, DATA_DIR: data, PORT: '0', LOG_LEVEL: 'error', RATE_LIMIT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    return await crowd(await addressOf(gateway), { sockets, runs, seconds });
  } finally {
    if (gateway.exitCode === null) {
      const closed = once(gateway, 'close');
      gateway.kill('SIGTERM');
      await closed;
    }
    await rm(data, { recursive: true, force: true, maxRetries: 5 });
  }
});

/** @param {Address} address @param {{ sockets: number, runs: number, seconds: number }} size */
async function crowd(address, { sockets, runs, seconds }) {
  say(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} threads`);
  say(`${runs} runs, then one that breeds`);
  await until(async () => (await (await fetch(`${address.url}/readyz`)).json()).status === 'ready');
  for (let made = 0; made < runs; made++) {
    const { id } = await ask(address, 'POST', '/cognate/runs', { preset: 'nano', train_steps: 1 });
    await ask(address, 'POST', `/runs/${id}/cancel`);
  }
  const { evomerge } = await ask(address, 'POST', '/pipelines', {
    cognate: { preset: 'nano', foundation_steps: 5, train_steps: 5, eval_problems: 8 },
    evomerge: { generations: 1000, eval_problems: 16, heldout_problems: 8 },
  });
  const generations = () => ask(address, 'GET', `/runs/${evomerge.id}/generations`);
  await until(async () => (await generations()).items.length > 0);

  const reader = fork(import.meta.filename);
  reader.send(address);
  /** @type {Reading[]} */
  const readings = [];
  reader.on('message', (reading) => readings.push(/** @type {Reading} */ (reading)));
  await delay((seconds / 4) * 1000);

  const topics = ['runs', `run:${evomerge.id}`];
  const busy = await gatewaySeconds(address);
  const mine = process.cpuUsage();
  const began = Date.now();
  let refused = 0;
  let resets = 0;
  let bytes = 0;
  /** @type {number[]} */
  const times = [];
  /** @type {Heard[]} */
  const heard = [];
  /** @type {import('socket.io-client').Socket[]} */
  const open = [];
  const subscribed = [];
  for (let index = 0; index < sockets; index++) {
    subscribed.push(subscribe(index));
    await delay(APART_MS);
  }
  await Promise.all(subscribed);
  const ended = Date.now();
  const own = process.cpuUsage(mine);
  const used = { gateway: (await gatewaySeconds(address)) - busy, own: (own.user + own.system) / 1e6 };
  await delay(seconds * 1000);
  const { gateway } = await ask(address, 'GET', '/system');
  const last = gateway.mirror.seq;
  const before = heard.reduce((sum, { seqs }) => sum + seqs.length, 0);
  // Everything committed up to then has arrived once nothing older than that comes.
  await until(async () => {
    const told = new Map(topics.map((topic) => [topic, newest(heard, topic, last)]));
    return heard.every(({ topic, seqs, from }) => (seqs.at(-1) ?? from) >= (told.get(topic) ?? 0));
  });
  for (const socket of open) socket.disconnect();
  reader.kill('SIGTERM');

  let gaps = 0;
  let doubles = 0;
  for (const topic of topics) {
    const of = heard.filter((each) => each.topic === topic);
    const all = [...new Set(of.flatMap(({ seqs }) => seqs))]
      .filter((seq) => seq <= last)
      .sort((a, b) => a - b);
    for (const { from, seqs } of of) {
      const got = new Set(seqs);
      gaps += all.filter((seq) => seq > from && !got.has(seq)).length;
      doubles += seqs.length - got.size;
    }
    say(`${topic.padEnd(32)} ${all.length} events, ${of.length} subscriptions`);
  }
  say(
    `subscriptions refused ${refused}, reset ${resets}; events missing ${gaps}, doubled ${doubles}; ${before} told`,
  );
  say(
    `all subscribed in ${((ended - began) / 1000).toFixed(1)} s, snapshots ${(bytes / 1e6).toFixed(0)} MB in all`,
  );
  say(`seconds of processor: gateway ${used.gateway.toFixed(1)}, the sockets here ${used.own.toFixed(1)}`);
  say(`one socket, connection and both snapshots: ${quantiles(times)}`);
  const window = (/** @type {number} */ from, /** @type {number} */ to) =>
    quantiles(readings.filter(({ at }) => at >= from && at < to).map(({ ms }) => ms));
  say(`GET /api/v1/runs before:           ${window(0, began)}`);
  say(`GET /api/v1/runs while they came:  ${window(began, ended)}`);
  say(`GET /api/v1/runs with all of them: ${window(ended, Number.POSITIVE_INFINITY)}`);
  return refused + resets + gaps + doubles === 0 ? 0 : 1;

  /** @param {number} index */
  async function subscribe(index) {
    const start = performance.now();
    const socket = io(address.url, {
      auth: { token: address.token },
      transports: ['websocket'],
      forceNew: true,
    });
    open.push(socket);
    /** @type {Map<string, Heard>} */
    const mine = new Map();
    socket.on('event', ({ topic, event }) => mine.get(topic)?.seqs.push(event.seq));
    socket.on('reset', () => resets++);
    await once(/** @type {any} */ (socket), 'connect');
    await Promise.all(
      topics.map(async (topic) => {
        const list = { topic, from: 0, seqs: [] };
        mine.set(topic, list);
        const ack = await socket.timeout(PATIENCE_MS).emitWithAck('subscribe', { topic });
        if (!ack.ok) {
          refused++;
          return;
        }
        list.from = Number(ack.cursor.split(':')[1]);
        // The text of one stands for all: making it takes as long as to read it.
        if (index === 0) bytes += JSON.stringify(ack).length * sockets;
        heard.push(list);
      }),
    );
    times.push(performance.now() - start);
  }
}

/** The newest event of a topic up to `last` that anybody has heard. @param {Heard[]} heard @param {string} topic @param {number} last */
function newest(heard, topic, last) {
  let most = 0;
  for (const { topic: of, seqs } of heard) {
    if (of === topic) most = Math.max(most, seqs.findLast((seq) => seq <= last) ?? 0);
  }
  return most;
}

/** Seconds of processor so far: unlike the clock's they are nearly the same on a busy machine. @param {Address} address */
async function gatewaySeconds({ url, token }) {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  const [, seconds] = /^process_cpu_seconds_total ([\d.]+)/m.exec(await answer.text()) ?? [];
  if (seconds === undefined) throw new Error('the gateway does not tell its seconds of processor');
  return Number(seconds);
}

/** In its own process, so that nothing but the gateway makes it wait. @param {Address} address */
async function read(address) {
  while (process.connected) {
    const at = Date.now();
    const start = performance.now();
    await ask(address, 'GET', '/runs');
    process.send?.({ at, ms: performance.now() - start });
    await delay(20);
  }
  return 0;
}

/** @param {Address} address @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} */
async function ask({ url, token }, method, path, body) {
  const answer = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text.slice(0, 300)}`);
  return JSON.parse(text);
}

/** @param {() => Promise<boolean>} holds */
async function until(holds) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${holds}`);
    await delay(100);
  }
}

/** @param {number[]} values */
function quantiles(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (/** @type {number} */ share) =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(0);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms (${sorted.length})`;
}

/** @param {import('node:child_process').ChildProcess} gateway @returns {Promise<Address>} */
function addressOf(gateway) {
  return new Promise((found, failed) => {
    if (!gateway.stdout) throw new Error('the gateway has no pipe');
    createInterface({ input: gateway.stdout }).on('line', (line) => {
      const [, url, token] = /(http:\/\/\S+)\/#token=(\S+)/.exec(line) ?? [];
      if (url && token) found({ url, token });
    });
    gateway.once('close', (code) => failed(new Error(`the gateway ended with ${code}`)));
  });
}
