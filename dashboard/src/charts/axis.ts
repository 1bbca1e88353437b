/** What an axis shows, and where: limits around the data, round marks between them, and the pixels they lie at. */

/** Some air around the data; none beyond a limit that is given. 0 to 1 where there is no data. */
export function padded(
  min: number,
  max: number,
  [low, high]: readonly [number | null, number | null] = [null, null],
): [number, number] {
  const from = low ?? min;
  const to = high ?? max;
  if (!Number.isFinite(from) || !Number.isFinite(to)) return [0, 1];
  const air = (to - from || Math.abs(to) || 1) * 0.06;
  return [low ?? from - air, high ?? to + air];
}

/** The least and the greatest value; infinite where there is none. */
export function extent(values: readonly number[]): [number, number] {
  return [
    values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
  ];
}

/** Round numbers between two values, about `most` of them; none where the values are equal. */
export function ticks(low: number, high: number, most: number): number[] {
  if (!(high > low)) return [];
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const first = Math.ceil(low / step);
  // 3 × 0.1 is 0.30000000000000004
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, index) =>
    Number(((first + index) * step).toPrecision(12)),
  );
}

/** From values onto pixels, to a tenth; all onto `from` where the values are equal. */
export function scale(
  [low, high]: readonly [number, number],
  from: number,
  to: number,
): (value: number) => number {
  const unit = high > low ? (to - from) / (high - low) : 0;
  return (value) => Math.round((from + (value - low) * unit) * 10) / 10;
}
