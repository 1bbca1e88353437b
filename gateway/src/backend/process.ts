/** The one place that knows child-process-promise: a process group of its own, its lines, its end. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { spawn } from 'child-process-promise';
import type { Clock } from './clock.js';

/** Members of the group that live on may keep the pipes open. */
const OUTPUT_MS = 1000;

export type Exit = { code: number | null; signal: NodeJS.Signals | null; error: Error | null };

export type GroupProcess = {
  readonly pid: number | undefined;
  /** Resolves when the leader has ended, however it ended; never rejects. */
  readonly exited: Promise<Exit>;
  /** Resolves when its output has ended as well, at the latest a second after its leader. */
  readonly closed: Promise<void>;
  /** Signals every process of the group; false where none is left. */
  signal(name: NodeJS.Signals): boolean;
  /** Ends the child's stdin, which it takes for the end of its parent. */
  closeStdin(): void;
};

export type GroupSettings = {
  command: string;
  arguments: readonly string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  onLine(stream: 'stdout' | 'stderr', line: string): void;
};

/** Starts the command as leader of a new process group; its stdin stays open as long as this process lives. */
export function spawnGroup({ command, arguments: args, cwd, env, onLine }: GroupSettings): GroupProcess {
  const promise = spawn(command, [...args], { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
  const child = promise.childProcess;
  let failure: Error | null = null;
  const ended = promise.then(
    () => undefined,
    (error: Error) => {
      failure = error;
    },
  );
  // The group's other members may keep the pipes open long after the leader has gone: its own end counts.
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal, error: null }));
    void ended.then(() =>
      resolve(
        child.pid === undefined
          ? // The process never started: the exit code would be the number of the error.
            { code: null, signal: null, error: failure }
          : { code: child.exitCode, signal: child.signalCode, error: failure },
      ),
    );
  });
  const read = (['stdout', 'stderr'] as const).map(async (name) => {
    const stream = child[name];
    if (!stream) return;
    const lines = createInterface({ input: stream }).on('line', (line) => onLine(name, line));
    await once(lines, 'close');
  });
  const closed = exited.then(async () => {
    const timeout = AbortSignal.timeout(OUTPUT_MS);
    await Promise.race([Promise.all(read), once(timeout, 'abort')]);
  });
  // A write to a child that has just died fails; `exited` reports the death.
  child.stdin?.on('error', () => undefined);
  return {
    pid: child.pid,
    exited,
    closed,
    signal: (name) => {
      if (child.pid === undefined) return false;
      try {
        process.kill(-child.pid, name);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
        throw error;
      }
    },
    closeStdin: () => {
      child.stdin?.end();
    },
  };
}

/** Asks the group to end, and after `deadlineMs` ends it by force. Resolves when its leader is gone. */
export async function endGroup(group: GroupProcess, deadlineMs: number, clock: Clock): Promise<void> {
  group.closeStdin();
  group.signal('SIGTERM');
  const waiting = new AbortController();
  await Promise.race([group.exited, clock.sleep(deadlineMs, waiting.signal)]);
  waiting.abort();
  // Members that outlive the leader's orderly end have nobody left to report to.
  group.signal('SIGKILL');
  await group.exited;
}
