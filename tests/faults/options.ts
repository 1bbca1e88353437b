/** How much is tried, from the environment as `npm run test:faults` sets it; by default what `npm test` can afford. */

function count(name: string, fallback: number): number {
  const text = process.env[name];
  const value = text === undefined || text === '' ? fallback : Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name}: ${text} is no count`);
  return value;
}

export const options = {
  seed: count('FAULTS_SEED', 1),
  kills: count('FAULTS_KILLS', 10),
  /** Disturbed deliveries of events to the mirror. */
  cases: count('FAULTS_CASES', 500),
  /** Disturbed answers between gateway and backend, of each kind. */
  cuts: count('FAULTS_CUTS', 3),
  /** The one case to run again; null: all. */
  only: process.env.FAULTS_CASE ? count('FAULTS_CASE', 0) : null,
};

/** The command that runs one case again, for the message of a failure. */
export function again(part: string, index: number): string {
  return `run it again: npm run test:faults -- ${part} --seed ${options.seed} --case ${index}`;
}
