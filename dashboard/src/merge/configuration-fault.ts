import type { Problem } from '../api/schema.ts';

export interface Fault {
  /** From 1. */
  line: number;
  message: string;
}

/** Where a configuration was refused, and why; null where it was something else. */
export function faultIn({ code, detail }: Problem): Fault | null {
  if (code !== 'configuration_refused') return null;
  const [, line, message] = /^line (\d+): (.*)$/s.exec(detail) ?? [];
  return line && message ? { line: Number(line), message } : null;
}
