import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { problemIn } from '../api/gateway.ts';
import type { Problem } from '../api/schema.ts';

interface ProblemProps {
  error: unknown;
  /** Fields whose errors are shown at their inputs already. */
  shownFields?: ReadonlySet<string>;
  onRetry?: () => void;
}

/** What went wrong, in the server's own words: title, detail, fields, hint, trace id. */
export function ProblemNote({ error, shownFields, onRetry }: ProblemProps) {
  const problem: Problem = isProblem(error) ? error : problemIn(error);
  const others = problem.errors.filter(({ field }) => !shownFields?.has(field));
  return (
    <Alert
      variant="outline"
      color="red"
      icon={<IconAlertTriangle size={18} />}
      title={problem.title}
      role="alert"
      styles={{
        title: { color: 'var(--bad)' },
        icon: { color: 'var(--bad)' },
        // Names and trace ids have no spaces to break at.
        body: { minWidth: 0, overflowWrap: 'anywhere' },
      }}
    >
      <Stack gap={6}>
        <Text size="sm">{problem.detail}</Text>
        {others.length > 0 && (
          <ul style={{ margin: 0, paddingInlineStart: 18, fontSize: 13 }}>
            {others.map(({ field, message, allowed }) => (
              <li key={`${field} ${message}`}>
                <code>{field}</code>: {message}
                {allowed && <> (allowed: {allowed})</>}
              </li>
            ))}
            {problem.errors_omitted !== 0 && (
              <li>
                {problem.errors_omitted === null
                  ? 'There may be more.'
                  : `And ${problem.errors_omitted} more.`}
              </li>
            )}
          </ul>
        )}
        {problem.hint && <Text size="sm">{problem.hint}</Text>}
        <Group justify="space-between">
          <Text size="xs" c="dimmed">
            {problem.code}
            {problem.status > 0 && ` · ${problem.status}`}
            {problem.trace_id && ` · trace ${problem.trace_id}`}
          </Text>
          {onRetry && (
            <Button size="compact-xs" variant="default" onClick={onRetry}>
              Try again
            </Button>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}

function isProblem(value: unknown): value is Problem {
  return (
    typeof value === 'object' && value !== null && 'code' in value && 'title' in value && 'errors' in value
  );
}
