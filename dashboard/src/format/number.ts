const whole = new Intl.NumberFormat('en');
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** 58,282,241 */
export const count = (value: number): string => whole.format(value);

/** 58.3M */
export const short = (value: number): string => compact.format(value);

/** 222.3 MiB: binary units, as the registry's files are measured. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** A dash where there is none. */
export const percent = (share: number | null, digits = 0): string =>
  share === null ? '–' : `${(share * 100).toFixed(digits)} %`;

/** +12.3 % of `value` over `base`; null where there is no base to compare with. */
export function gain(value: number, base: number | null | undefined): string | null {
  if (!base) return null;
  const change = (value / base - 1) * 100;
  return `${change < 0 ? '−' : '+'}${Math.abs(change).toFixed(1)} %`;
}

/** Four decimals where the number is about 1; three significant digits where it is far from it. */
export function figure(value: number | null): string {
  if (value === null) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 10_000)) return value.toPrecision(3);
  if (size >= 100) return value.toFixed(1);
  return value.toFixed(size >= 10 ? 2 : 4);
}

/** For the numbers of one column, which all get as many decimals as `figure` gives the largest of them. */
export function column(values: readonly (number | null | undefined)[]): (value: number) => string {
  const sizes = values.flatMap((value) =>
    value == null || !Number.isFinite(value) ? [] : [Math.abs(value)],
  );
  const largest = Math.max(0, ...sizes);
  if (largest >= 10_000) return (value) => value.toPrecision(3);
  const decimals = largest >= 100 ? 1 : largest >= 10 ? 2 : 4;
  return (value) => value.toFixed(decimals);
}

const ordinals = new Intl.PluralRules('en', { type: 'ordinal' });
const SUFFIXES: Partial<Record<Intl.LDMLPluralRule, string>> = { one: 'st', two: 'nd', few: 'rd' };

/** 1st, 2nd, 3rd, 4th, 11th, 21st */
export const ordinal = (value: number): string =>
  `${whole.format(value)}${SUFFIXES[ordinals.select(value)] ?? 'th'}`;

/** The first and last characters of a digest. */
export const digestShort = (digest: string): string => `${digest.slice(0, 8)}…${digest.slice(-6)}`;
