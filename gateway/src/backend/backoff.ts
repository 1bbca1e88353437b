/** Waits that double from `first` to `most` milliseconds, and begin again after `reset`. */
export function createBackoff({ first, most }: { first: number; most: number }) {
  let failures = 0;
  return {
    next: (): number => Math.min(most, first * 2 ** Math.min(failures++, 30)),
    reset: (): void => {
      failures = 0;
    },
  };
}
