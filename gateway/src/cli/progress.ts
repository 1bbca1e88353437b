import cliProgress from 'cli-progress';
import type { Run, S } from './contract.js';
import type { Watcher } from './follow.js';
import { bytes, figure, seconds } from './format.js';

const LINE_EVERY_MS = 10_000;
const BAR_WIDTH = 24;
const STEPS_AT_LEAST = 1;
const TITLES: Record<Run['kind'], string> = { cognate: 'parents ', evomerge: 'breeding', merge: 'merging ' };

export type View = Watcher & {
  /** Prints a line beside the bars. */
  say(line: string): void;
  proof(done: number, total: number): void;
  stop(): void;
};

/** Progress of runs on a terminal as bars, elsewhere as plain lines. */
export function createView(stream: NodeJS.WriteStream): View {
  const screen = stream.isTTY ? createBars(stream) : createLines(stream);
  const runs = new Map<string, Run>();
  let state: Parameters<Watcher['connection']>[0] = 'live';
  const title = (id: string) => TITLES[runs.get(id)?.kind ?? 'cognate'];
  return {
    run(run) {
      const before = runs.get(run.id)?.status;
      runs.set(run.id, run);
      if (before !== run.status) screen.say(`${TITLES[run.kind]}  ${run.status}${reason(run)}`);
      if (run.status === 'running') screen.progress(title(run.id), run.progress);
    },
    progress: (id, progress) => screen.progress(title(id), progress),
    step: ({ run_id, loss, tokens_per_second }) =>
      screen.note(title(run_id), `loss ${figure(loss)}, ${Math.round(tokens_per_second)} tokens/s`),
    evaluated: ({ stage, step, total_steps, tasks, run_id }) => {
      const scores = tasks.map(
        ({ dataset, loss, accuracy }) => `${dataset.split('/').at(-1)} ${figure(loss)} (${figure(accuracy)})`,
      );
      screen.say(
        `${title(run_id)}  ${stage} ${step}/${total_steps}, held-out loss (accuracy): ${scores.join(', ')}`,
      );
    },
    generation: ({ index, best, mean, champion_fitness, diversity, faulted, run_id }) => {
      const line = `best ${figure(best)}, mean ${figure(mean)}, champion ${figure(champion_fitness)}, diversity ${diversity.toExponential(1)}${faulted > 0 ? `, ${faulted} not measurable` : ''}`;
      screen.note(title(run_id), line);
      if (!stream.isTTY) screen.say(`${title(run_id)}  generation ${index}: ${line}`);
    },
    log: ({ level, message }) => {
      if (level !== 'info') screen.say(`${level}: ${message}`);
    },
    connection(now) {
      if (now === state) return;
      state = now;
      screen.say(
        now === 'live'
          ? 'connected again'
          : `${now === 'gateway_away' ? 'the gateway' : 'the backend'} is not responding; waiting for it`,
      );
    },
    say: screen.say,
    proof(done, total) {
      if (!stream.isTTY) return;
      screen.progress('proof   ', { done, total, unit: 'candidates', stage: '', eta_seconds: null });
    },
    stop: screen.stop,
  };
}

function reason({ failure }: Run): string {
  return failure ? `: ${failure.message}` : '';
}

type Screen = {
  progress(title: string, progress: S['Progress']): void;
  note(title: string, note: string): void;
  say(line: string): void;
  stop(): void;
};

function createBars(stream: NodeJS.WriteStream): Screen {
  const bars = new cliProgress.MultiBar({
    stream,
    format: '{title} {bar} {percentage}%  {stage}  {eta_text}  {note}',
    barsize: BAR_WIDTH,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    forceRedraw: true,
    linewrap: false,
    gracefulExit: false,
  });
  const all = new Map<string, cliProgress.SingleBar>();
  const bar = (title: string) => {
    const known = all.get(title);
    if (known) return known;
    const made = bars.create(STEPS_AT_LEAST, 0, { title, stage: '', eta_text: '', note: '' });
    all.set(title, made);
    return made;
  };
  return {
    progress(title, { done, total, stage, eta_seconds: eta }) {
      const one = bar(title);
      one.setTotal(Math.max(STEPS_AT_LEAST, total));
      one.update(done, { stage, eta_text: eta === null ? '' : `${seconds(eta)} left` });
    },
    note: (title, note) => bar(title).update({ note }),
    say: (line) => bars.log(`${line}\n`),
    stop: () => bars.stop(),
  };
}

function createLines(stream: NodeJS.WriteStream): Screen {
  const latest = new Map<string, number>();
  const write = (line: string) => stream.write(`${line}\n`);
  return {
    progress(title, { done, total, stage, unit, eta_seconds: eta }) {
      const now = performance.now();
      if (total === 0 || now - (latest.get(title) ?? Number.NEGATIVE_INFINITY) < LINE_EVERY_MS) return;
      latest.set(title, now);
      write(
        `${title}  ${unit === 'bytes' ? `${bytes(done)} of ${bytes(total)}` : `${done}/${total} ${unit}`}${stage ? `, ${stage}` : ''}${eta === null ? '' : `, ${seconds(eta)} left`}`,
      );
    },
    note: () => {},
    say: write,
    stop: () => {},
  };
}
