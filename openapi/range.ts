/** The limits of a number in words: `1 to 5`, `more than 0 and at most 1`. Undefined where the schema sets none. */
type Limits = {
  minimum?: unknown;
  maximum?: unknown;
  exclusiveMinimum?: unknown;
  exclusiveMaximum?: unknown;
};

export function rangeInWords(
  limits: Limits,
  format: (limit: unknown) => string = String,
): string | undefined {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = limits;
  if (minimum !== undefined && maximum !== undefined) return `${format(minimum)} to ${format(maximum)}`;
  const words = [
    minimum === undefined ? undefined : `at least ${format(minimum)}`,
    exclusiveMinimum === undefined ? undefined : `more than ${format(exclusiveMinimum)}`,
    maximum === undefined ? undefined : `at most ${format(maximum)}`,
    exclusiveMaximum === undefined ? undefined : `less than ${format(exclusiveMaximum)}`,
  ].filter((word) => word !== undefined);
  return words.length > 0 ? words.join(' and ') : undefined;
}
