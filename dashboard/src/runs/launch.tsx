import { Button, Stack, Text } from '@mantine/core';
import { type UseMutationResult, type UseQueryResult, useMutation } from '@tanstack/react-query';
import { type ReactNode, useRef } from 'react';
import { useLocation } from 'wouter';
import { newIdempotencyKey } from '../api/gateway.ts';
import type { Resources, Run } from '../api/schema.ts';
import { fieldErrors } from '../form/errors.ts';
import { shortage } from '../form/forecast.tsx';
import { useHealth } from '../live/hooks.ts';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';

/** Starts a run and goes to its page. A `changed` request is another run, and gets a new key. */
export function useStart(
  kind: Run['kind'],
  send: (headers: { 'Idempotency-Key': string }) => Promise<Pick<Run, 'id'>>,
) {
  const [, navigate] = useLocation();
  const key = useRef(newIdempotencyKey());
  const start = useMutation({
    mutationFn: () => send({ 'Idempotency-Key': key.current }),
    onSuccess: (run) => navigate(`/${kind}/${run.id}`),
  });
  const changed = () => {
    start.reset();
    key.current = newIdempotencyKey();
  };
  return { start, changed };
}

interface LaunchProps<Plan> {
  kind: Run['kind'];
  action: string;
  forecast: UseQueryResult<Plan>;
  start: Pick<UseMutationResult, 'isPending' | 'isError' | 'error'> & { mutate: () => void };
  /** What must be chosen before there can be a forecast. */
  missing?: string | undefined;
  children: (plan: Plan) => ReactNode;
}

/** What a run will cost, and the button that starts it. */
export function Launch<Plan extends { resources: Resources }>(props: LaunchProps<Plan>) {
  const { kind, action, forecast, start, missing, children } = props;
  const shownFields = new Set(fieldErrors(forecast.error ?? start.error).keys());
  const away = useHealth().kind !== 'live';
  const plan = forecast.isError || missing ? undefined : forecast.data;
  return (
    <Panel title="Forecast">
      <Stack gap="md" aria-live="polite">
        {missing ? (
          <Text size="sm" c="dimmed">
            {missing}
          </Text>
        ) : forecast.isError ? (
          <ProblemNote error={forecast.error} shownFields={shownFields} onRetry={() => forecast.refetch()} />
        ) : plan ? (
          children(plan)
        ) : (
          <Waiting for="the forecast" rows={5} />
        )}
        {start.isError && <ProblemNote error={start.error} shownFields={shownFields} />}
        <Button
          size="md"
          onClick={() => start.mutate()}
          disabled={away || start.isPending || !plan || shortage(plan.resources) !== null}
          data-testid={`start-${kind}`}
        >
          {start.isPending ? 'Asking the backend…' : action}
        </Button>
        {away && (
          <Text size="sm" c="dimmed">
            The backend must respond before a run can start.
          </Text>
        )}
      </Stack>
    </Panel>
  );
}
