import { Button, Stack, Text } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { useLocation, useSearchParams } from 'wouter';
import { gateway, newIdempotencyKey } from '../api/gateway.ts';
import { evomergeForecast, mergeMethods } from '../api/queries.ts';
import type { EvoMergeConfig, EvoMergeForecast } from '../api/schema.ts';
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
import { ParentPicker } from './parent-picker.tsx';

const FIELDS = fieldsOf('EvoMergeSettings');

export default function EvoMergePage() {
  const [query, setQuery] = useSearchParams();
  const parents = query.get('parents')?.split(',').filter(Boolean) ?? [];
  const [values, setValues] = useState<Values>({});
  const [, navigate] = useLocation();
  const methods = useQuery(mergeMethods);
  const config = { ...values, parents } as EvoMergeConfig;
  const [settled] = useDebouncedValue(JSON.stringify(config), 250);
  const forecast = useQuery(evomergeForecast(JSON.parse(settled) as EvoMergeConfig));
  const runs = useRuns()?.filter(({ kind }) => kind === 'evomerge');
  const key = useRef(newIdempotencyKey());
  const start = useMutation({
    mutationFn: () =>
      gateway.post('/api/v1/evomerge/runs', { body: config, headers: { 'Idempotency-Key': key.current } }),
    onSuccess: (run) => navigate(`/evomerge/${run.id}`),
  });
  const errors = fieldErrors(forecast.error ?? start.error);
  const away = useHealth().kind !== 'live';
  const enough = parents.length >= 2;
  const plan = forecast.isError || !enough ? undefined : forecast.data;
  const changed = () => {
    start.reset();
    key.current = newIdempotencyKey();
  };
  return (
    <Page
      title="EvoMerge"
      lead="Breed registered models: generation after generation, the champion is never lost."
    >
      <div className={classes.split}>
        <Stack gap="md">
          <Panel
            title="Parents"
            note={parents.length > 0 ? `${parents.length} chosen` : 'two or more of one architecture'}
          >
            <ParentPicker
              chosen={parents}
              onChange={(next) => {
                setQuery(next.length > 0 ? { parents: next.join(',') } : {}, { replace: true });
                changed();
              }}
            />
          </Panel>
          <Panel title="Configuration" note="every field as the backend declares it">
            <ConfigForm
              fields={FIELDS}
              groups={GROUPS}
              values={values}
              onChange={(next) => {
                setValues(next);
                changed();
              }}
              errors={errors}
              options={{ ops: methods.data?.map(({ name }) => name) ?? [] }}
            />
          </Panel>
        </Stack>
        <div className={classes.aside}>
          <Panel title="Forecast">
            <Stack gap="md" aria-live="polite">
              {!enough ? (
                <Text size="sm" c="dimmed">
                  Choose at least two parents.
                </Text>
              ) : forecast.isError ? (
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
                data-testid="start-evomerge"
              >
                {start.isPending ? 'Asking the backend…' : 'Breed'}
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
      <Panel title="EvoMerge runs">
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

function Plan({ plan }: { plan: EvoMergeForecast }) {
  const { min_bytes, max_bytes, min_parameters, max_parameters } = plan;
  return (
    <>
      <Facts>
        <Fact label="Candidates">{count(plan.candidates)}</Fact>
        <Fact
          label="Parameters each"
          note={min_parameters === max_parameters ? undefined : `to ${count(max_parameters)}`}
        >
          {count(min_parameters)}
        </Fact>
        <Fact label="Size each" note={min_bytes === max_bytes ? undefined : `to ${bytes(max_bytes)}`}>
          {bytes(min_bytes)}
        </Fact>
        <ResourceFacts seconds={plan.seconds} from={plan.seconds_from} resources={plan.resources} />
      </Facts>
      <Shortage resources={plan.resources} />
    </>
  );
}
