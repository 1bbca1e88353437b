import { problemIn } from '../api/gateway.ts';

export interface Fault {
  /** From 1. */
  line: number;
  message: string;
}

/** Where a configuration was refused, and why; null where it was something else. */
export function faultIn(error: unknown): Fault | null {
  if (error === null || error === undefined) return null;
  const problem = problemIn(error);
  if (problem.code !== 'configuration_refused') return null;
  const [, line, message] = /^line (\d+): (.*)$/s.exec(problem.detail) ?? [];
  return line && message ? { line: Number(line), message } : null;
}
