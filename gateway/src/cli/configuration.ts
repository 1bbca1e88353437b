import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { UsageError } from './arguments.js';

/**
 * The text of the one configuration that a command names.
 * @param cwd where a relative path starts
 */
export function configurationOf(positionals: string[], cwd: string, usage: string): string {
  const [file, ...others] = positionals;
  if (file === undefined || others.length > 0) throw new UsageError(`one configuration is needed: ${usage}`);
  const path = resolve(cwd, file);
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

/** A field beside the configuration, from the flag of its name; nothing where the flag was not given. */
export function wholeField<Name extends string>(
  name: Name,
  text: string | undefined,
): Partial<Record<Name, number>> {
  const value = wholeNumber(name.replaceAll('_', '-'), text);
  return (value === undefined ? {} : { [name]: value }) as Partial<Record<Name, number>>;
}

export function wholeNumber(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new UsageError(`--${flag} ${text}: must be a whole number, 0 or more`);
  return value;
}
