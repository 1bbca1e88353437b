import { useEffect, useState } from 'react';

/** The clock, re-read at the next whole `step` milliseconds: for relative times only, never for progress. */
export function useNow(step = 1000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setTimeout(() => setNow(Date.now()), step - (now % step));
    return () => clearTimeout(timer);
  }, [now, step]);
  return now;
}
