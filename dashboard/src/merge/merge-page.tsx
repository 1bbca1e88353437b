import { SegmentedControl, Stack } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useSearchParams } from 'wouter';
import { gateway, problemIn } from '../api/gateway.ts';
import { mergeForecast, mergeMethods } from '../api/queries.ts';
import type { MergeConfig, MergeMethod, Model } from '../api/schema.ts';
import classes from '../form/split.module.css';
import { useModels } from '../live/hooks.ts';
import { Launch, useStart } from '../runs/launch.tsx';
import { PhaseRuns } from '../runs/phase-runs.tsx';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { Composer, useComposition } from './composer.tsx';
import { isComposable, missing, recipeOf } from './composition.ts';
import { ConfigurationEditor } from './configuration-editor.tsx';
import { faultIn } from './configuration-fault.ts';
import { Plan } from './plan.tsx';

export default function MergePage() {
  const methods = useQuery(mergeMethods);
  const models = useModels();
  return (
    <Page
      title="Merge"
      lead="Make one model of several, tensor by tensor: models of any size, in little memory."
    >
      {methods.isError && <ProblemNote error={methods.error} onRetry={() => methods.refetch()} />}
      {methods.data && models ? (
        <MergeForm methods={methods.data.filter(isComposable)} models={models} />
      ) : (
        !methods.isError && <Waiting for="models and merge methods" rows={6} />
      )}
      <PhaseRuns kind="merge" title="Merges" />
    </Page>
  );
}

function MergeForm({ methods, models }: { methods: readonly MergeMethod[]; models: readonly Model[] }) {
  const [query, setQuery] = useSearchParams();
  const written = query.get('as') === 'yaml';
  const [text, setText] = useState('');
  const { composition, tokenizerSource, name, change } = useComposition(methods);
  const config: MergeConfig = {
    ...(written ? { configuration: text } : { recipe: recipeOf(composition) }),
    ...(tokenizerSource && !written ? { tokenizer_source: tokenizerSource } : {}),
    ...(name ? { name } : {}),
  };
  const wanting = written
    ? text.trim() === ''
      ? 'Write, paste or drop a configuration.'
      : undefined
    : missing(composition);
  const [settled] = useDebouncedValue(JSON.stringify(config), 250);
  const forecast = useQuery({
    ...mergeForecast(JSON.parse(settled) as MergeConfig),
    enabled: wanting === undefined,
  });
  const { start, changed } = useStart('merge', (headers) =>
    gateway.post('/api/v1/merges', { body: config, headers }),
  );
  const refused = forecast.error ?? start.error;
  const fault = written && !wanting && refused ? faultIn(problemIn(refused)) : null;
  const show = (yaml: boolean) =>
    setQuery(
      (now) => {
        const next = new URLSearchParams(now);
        if (yaml) next.set('as', 'yaml');
        else next.delete('as');
        return next;
      },
      { replace: true },
    );
  return (
    <div className={classes.split}>
      <Stack gap="md">
        <SegmentedControl
          aria-label="How the merge is put together"
          data={[
            { value: 'form', label: 'Models and method' },
            { value: 'yaml', label: 'mergekit YAML' },
          ]}
          value={written ? 'yaml' : 'form'}
          onChange={(next) => show(next === 'yaml')}
          style={{ alignSelf: 'flex-start', maxWidth: '100%' }}
        />
        {written ? (
          <Panel title="Configuration">
            <ConfigurationEditor
              text={text}
              onChange={(next) => {
                setText(next);
                changed();
              }}
              fault={fault}
            />
          </Panel>
        ) : (
          <Composer
            methods={methods}
            models={models}
            composition={composition}
            tokenizerSource={tokenizerSource}
            name={name}
            error={refused}
            change={(next) => {
              change(next);
              changed();
            }}
          />
        )}
      </Stack>
      <div className={classes.aside}>
        <Launch
          kind="merge"
          action="Merge"
          forecast={forecast}
          start={start}
          missing={wanting ?? (fault ? `Line ${fault.line} is refused.` : undefined)}
        >
          {(plan) => (
            <Plan
              forecast={plan}
              onEdit={(yaml) => {
                setText(yaml);
                show(true);
              }}
            />
          )}
        </Launch>
      </div>
    </div>
  );
}
