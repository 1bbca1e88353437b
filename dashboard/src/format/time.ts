const clockFormat = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const stampFormat = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
});

/** 14:03:09, in the reader's time zone. */
export const clock = (time: string | number): string => clockFormat.format(new Date(time));

/** 23 Nov, 14:03 */
export const stamp = (time: string): string => stampFormat.format(new Date(time));

/** 42 s · 3 min 05 s · 2 h 10 min · 3 d 4 h */
export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, '0')} s`;
  if (s < 86_400)
    return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, '0')} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** An estimate, no finer than it is good: 40 s · 7 min · 1 h 20 min · 9 h */
export function roughly(seconds: number): string {
  if (seconds < 10) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 90) return `${Math.round(seconds / 5) * 5} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 300) return duration(Math.round(minutes / 10) * 600).replace(' 00 min', '');
  if (minutes < 2880) return `${Math.round(minutes / 60)} h`;
  return `${Math.round(minutes / 1440)} d`;
}

/** How long ago, in words, for the clock reading `now`. */
export function ago(time: string | number, now: number): string {
  const seconds = Math.max(0, (now - new Date(time).getTime()) / 1000);
  return seconds < 5 ? 'just now' : `${duration(seconds < 60 ? Math.floor(seconds) : seconds)} ago`;
}
