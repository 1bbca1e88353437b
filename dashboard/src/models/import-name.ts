/** Names of imported models, as the specification has them. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export const NameError = 'must begin with a letter or digit, at most 128 characters';

export function isName(name: string): boolean {
  return NAME.test(name);
}

/** A name that fits, from that of a file or folder. */
export function nameOf(file: string): string {
  return file
    .replace(/\.safetensors$/i, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 128);
}
