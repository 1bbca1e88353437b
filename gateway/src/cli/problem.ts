import type { ProblemError } from '../../../openapi/client.js';

/** A refusal as a person reads it: what, why, where, and what to do. */
export function problemText({ problem }: ProblemError): string {
  const fields = problem.errors.map(({ field, message, value, allowed }) => {
    const given = value === null || value === undefined ? '' : ` (given: ${JSON.stringify(value)})`;
    return `  ${field}: ${message}${given}${allowed ? `; allowed: ${allowed}` : ''}`;
  });
  const { errors_omitted: omitted } = problem;
  return [
    `${problem.title}: ${problem.detail}`,
    ...fields,
    ...(omitted === 0 ? [] : [omitted === null ? '  There may be more.' : `  And ${omitted} more.`]),
    ...(problem.hint ? [`  ${problem.hint}`] : []),
    ...(problem.trace_id ? [`  trace ${problem.trace_id}`] : []),
  ].join('\n');
}
