/** Runs `work` once the browser has nothing better to do, at the latest after two seconds; returns how to call it off. */
export function whenIdle(work: () => void): () => void {
  if (typeof requestIdleCallback === 'undefined') {
    const timer = setTimeout(work, 2000);
    return () => clearTimeout(timer);
  }
  const handle = requestIdleCallback(() => work(), { timeout: 2000 });
  return () => cancelIdleCallback(handle);
}
