import { Table } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { gateway } from '../api/gateway.ts';
import { cognateForecast } from '../api/queries.ts';
import type { CognateConfig, CognateForecast } from '../api/schema.ts';
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

const FIELDS = fieldsOf('CognateConfig');

export default function CognatePage() {
  const [values, setValues] = useState<Values>({});
  const [settled] = useDebouncedValue(values, 250);
  const forecast = useQuery(cognateForecast(settled as CognateConfig));
  const { start, changed } = useStart('cognate', (headers) =>
    gateway.post('/api/v1/cognate/runs', { body: values as CognateConfig, headers }),
  );
  const errors = fieldErrors(forecast.error ?? start.error);
  return (
    <Page title="Cognate" lead="Create parents: one foundation, then a specialist for each task.">
      <div className={classes.split}>
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
            chosen={(forecast.isError ? undefined : forecast.data?.config) as Values | undefined}
          />
        </Panel>
        <div className={classes.aside}>
          <Launch kind="cognate" action="Train the parents" forecast={forecast} start={start}>
            {(plan) => <Plan plan={plan} />}
          </Launch>
        </div>
      </div>
      <PhaseRuns kind="cognate" title="Cognate runs" />
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
        <ResourceFacts
          seconds={plan.seconds}
          from={plan.seconds_from}
          onNodes={plan.on_nodes}
          resources={plan.resources}
        />
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
