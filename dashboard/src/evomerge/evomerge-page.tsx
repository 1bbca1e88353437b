import { Stack } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useSearchParams } from 'wouter';
import { gateway } from '../api/gateway.ts';
import { evomergeForecast, mergeMethods } from '../api/queries.ts';
import type { EvoMergeConfig, EvoMergeForecast } from '../api/schema.ts';
import { ConfigForm, type Values } from '../form/config-form.tsx';
import { fieldErrors } from '../form/errors.ts';
import { ResourceFacts, Shortage } from '../form/forecast.tsx';
import { fieldsOf } from '../form/schema.ts';
import classes from '../form/split.module.css';
import { bytes, count } from '../format/number.ts';
import { Launch, useStart } from '../runs/launch.tsx';
import { PhaseRuns } from '../runs/phase-runs.tsx';
import { Fact, Facts } from '../shell/fact.tsx';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { GROUPS } from './groups.ts';
import { ParentPicker } from './parent-picker.tsx';

const FIELDS = fieldsOf('EvoMergeSettings');

export default function EvoMergePage() {
  const [query, setQuery] = useSearchParams();
  const parents = query.get('parents')?.split(',').filter(Boolean) ?? [];
  const [values, setValues] = useState<Values>({});
  const methods = useQuery(mergeMethods);
  const config = { ...values, parents } as EvoMergeConfig;
  const [settled] = useDebouncedValue(JSON.stringify(config), 250);
  const forecast = useQuery(evomergeForecast(JSON.parse(settled) as EvoMergeConfig));
  const { start, changed } = useStart('evomerge', (headers) =>
    gateway.post('/api/v1/evomerge/runs', { body: config, headers }),
  );
  const errors = fieldErrors(forecast.error ?? start.error);
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
          <Panel title="Configuration">
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
          <Launch
            kind="evomerge"
            action="Breed"
            forecast={forecast}
            start={start}
            missing={parents.length < 2 ? 'Choose at least two parents.' : undefined}
          >
            {(plan) => <Plan plan={plan} />}
          </Launch>
        </div>
      </div>
      <PhaseRuns kind="evomerge" title="EvoMerge runs" />
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
        <Fact label="File each" note={min_bytes === max_bytes ? undefined : `to ${bytes(max_bytes)}`}>
          {bytes(min_bytes)}
        </Fact>
        <ResourceFacts
          seconds={plan.seconds}
          from={plan.seconds_from}
          onNodes={plan.on_nodes}
          resources={plan.resources}
        />
      </Facts>
      <Shortage resources={plan.resources} />
    </>
  );
}
