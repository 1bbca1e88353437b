import { Button, Stack, Table, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { gateway, newIdempotencyKey } from '../api/gateway.ts';
import { cognateForecast } from '../api/queries.ts';
import type { CognateConfig, CognateForecast } from '../api/schema.ts';
import { ConfigForm, type Values } from '../form/config-form.tsx';
import { fieldErrors } from '../form/errors.ts';
import { ResourceFacts, Shortage, shortage } from '../form/forecast.tsx';
import { fieldsOf } from '../form/schema.ts';
import classes from '../form/split.module.css';
import { bytes, count } from '../format/number.ts';
import { useHealth, useRuns } from '../live/hooks.ts';
import { RunTable } from '../runs/run-table.tsx';
import { Fact, Facts } from '../shell/fact.tsx';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { GROUPS } from './groups.ts';

const FIELDS = fieldsOf('CognateConfig');

export default function CognatePage() {
  const [values, setValues] = useState<Values>({});
  const [, navigate] = useLocation();
  const [settled] = useDebouncedValue(values, 250);
  const forecast = useQuery(cognateForecast(settled as CognateConfig));
  const runs = useRuns()?.filter(({ kind }) => kind === 'cognate');
  const key = useRef(newIdempotencyKey());
  const start = useMutation({
    mutationFn: () =>
      gateway.post('/api/v1/cognate/runs', {
        body: values as CognateConfig,
        headers: { 'Idempotency-Key': key.current },
      }),
    onSuccess: (run) => navigate(`/cognate/${run.id}`),
  });
  const errors = fieldErrors(forecast.error ?? start.error);
  const away = useHealth().kind !== 'live';
  const plan = forecast.isError ? undefined : forecast.data;
  return (
    <Page title="Cognate" lead="Create parents: one foundation, then a specialist for each task.">
      <div className={classes.split}>
        <Panel title="Configuration" note="every field as the backend declares it">
          <ConfigForm
            fields={FIELDS}
            groups={GROUPS}
            values={values}
            onChange={(next) => {
              setValues(next);
              start.reset();
              key.current = newIdempotencyKey();
            }}
            errors={errors}
            chosen={plan?.config as Values | undefined}
          />
        </Panel>
        <div className={classes.aside}>
          <Panel title="Forecast">
            <Stack gap="md" aria-live="polite">
              {forecast.isError ? (
                <ProblemNote
                  error={forecast.error}
                  shownFields={new Set(errors.keys())}
                  onRetry={() => forecast.refetch()}
                />
              ) : plan ? (
                <Plan plan={plan} />
              ) : (
                <Waiting for="the forecast" rows={5} />
              )}
              {start.isError && <ProblemNote error={start.error} shownFields={new Set(errors.keys())} />}
              <Button
                size="md"
                onClick={() => start.mutate()}
                disabled={away || start.isPending || !plan || shortage(plan.resources) !== null}
                data-testid="start-cognate"
              >
                {start.isPending ? 'Asking the backend…' : 'Train the parents'}
              </Button>
              {away && (
                <Text size="sm" c="dimmed">
                  The backend must be there to start a run.
                </Text>
              )}
            </Stack>
          </Panel>
        </div>
      </div>
      <Panel title="Cognate runs">
        {!runs ? (
          <Waiting for="the runs" />
        ) : runs.length > 0 ? (
          <RunTable runs={runs.slice(0, 10)} />
        ) : (
          <Text size="sm" c="dimmed">
            None yet.
          </Text>
        )}
      </Panel>
    </Page>
  );
}

function Plan({ plan }: { plan: CognateForecast }) {
  return (
    <>
      <Facts>
        <Fact label="Parameters" note={`${count(plan.models[0]?.parameters ?? 0)} each`}>
          {count(plan.total_parameters)}
        </Fact>
        <Fact label="Files" note={plan.models.map(({ name }) => name.replaceAll('_', ' ')).join(', ')}>
          {bytes(plan.total_bytes)}
        </Fact>
        <Fact label="Training">{count(plan.steps)} steps</Fact>
        <ResourceFacts seconds={plan.seconds} from={plan.seconds_from} resources={plan.resources} />
      </Facts>
      <Shortage resources={plan.resources} />
      <details>
        <summary className={classes.summary}>Parameters by module</summary>
        <Table fz="xs" mt={6}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Module</Table.Th>
              <Table.Th ta="right">Parameters</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {Object.entries(plan.modules_parameters).map(([module, parameters]) => (
              <Table.Tr key={module}>
                <Table.Td style={{ overflowWrap: 'anywhere' }}>{module}</Table.Td>
                <Table.Td ta="right">{count(parameters)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </details>
    </>
  );
}
