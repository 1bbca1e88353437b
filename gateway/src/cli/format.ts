const MINUTE = 60;
const HOUR = 3600;
const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
const TICKS = '▁▂▃▄▅▆▇█';

export function seconds(value: number): string {
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 100) return `${Math.round(value)} s`;
  // Rounded before it is parted: 60 of a unit are one of the next.
  const whole = Math.round(value);
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${whole % MINUTE} s`;
  const minutes = Math.round(value / MINUTE);
  return `${Math.floor(minutes / MINUTE)} h ${minutes % MINUTE} min`;
}

export function bytes(value: number): string {
  const power = value < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(value) / 10));
  return power === 0 ? `${value} bytes` : `${(value / 1024 ** power).toFixed(1)} ${UNITS[power]}`;
}

export const count = (value: number) => value.toLocaleString('en-US');

/** Four figures, enough to compare, few enough to read; a dash where there is none. */
export function figure(value: number | null): string {
  if (value === null) return '–';
  return Math.abs(value) >= 1000 ? value.toPrecision(4) : value.toFixed(Math.abs(value) >= 10 ? 2 : 3);
}

/** One character a value; the lowest is the lowest tick. At most `width` characters, each the mean of its share. */
export function sparkline(values: number[], width: number): string {
  const columns = Math.min(width, values.length);
  const means = Array.from({ length: columns }, (_, column) => {
    const share = values.slice(
      Math.floor((column * values.length) / columns),
      Math.floor(((column + 1) * values.length) / columns),
    );
    return share.reduce((sum, value) => sum + value, 0) / share.length;
  });
  const low = Math.min(...means);
  const span = Math.max(...means) - low;
  return means
    .map((mean) => TICKS[span === 0 ? 0 : Math.round(((mean - low) / span) * (TICKS.length - 1))] ?? '')
    .join('');
}

/** Rows in columns of equal width; those that `right` names, numbers, flush right. */
export function table(rows: string[][], right: number[] = []): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        right.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}
