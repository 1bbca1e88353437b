/** Curves with steps of their own, brought onto one x. A point that a curve lacks is null. */
export function align<T>(
  curves: readonly { points: readonly T[]; x: (point: T) => number; y: (point: T) => number | null }[],
): { x: number[]; values: (number | null)[][] } {
  const xs = new Set<number>();
  const maps = curves.map(({ points, x, y }) => {
    const values = new Map<number, number | null>();
    for (const point of points) {
      values.set(x(point), y(point));
      xs.add(x(point));
    }
    return values;
  });
  const x = [...xs].sort((a, b) => a - b);
  return { x, values: maps.map((values) => x.map((at) => values.get(at) ?? null)) };
}

/** The same name gets the same colour on every chart of a page. */
export const seriesColor = (index: number): string => `--series-${(index % 7) + 1}`;
