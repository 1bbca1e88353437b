import { NativeSelect, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useSearchParams } from 'wouter';
import type { MergeMethod, Model } from '../api/schema.ts';
import { FieldGrid, type Values } from '../form/config-form.tsx';
import { fieldErrors } from '../form/errors.ts';
import { Panel } from '../shell/panel.tsx';
import { type Composition, parametersOf, vocabulariesDiffer } from './composition.ts';
import { MethodChoice } from './method-choice.tsx';
import { ModelChoice } from './model-choice.tsx';
import { Roles } from './roles.tsx';

const FIRST = 'linear';

interface Change {
  models?: readonly string[];
  base?: string | null;
  op?: string;
  weights?: Readonly<Record<string, number>>;
  parameters?: Values;
  tokenizerSource?: string;
  name?: string;
}

/** What is chosen; models, base and method are in the page's address. */
export function useComposition(methods: readonly MergeMethod[]) {
  const [query, setQuery] = useSearchParams();
  const [weights, setWeights] = useState<Readonly<Record<string, number>>>({});
  const [parameters, setParameters] = useState<Values>({});
  const [tokenizerSource, setTokenizerSource] = useState('');
  const [name, setName] = useState('');
  const models = query.get('models')?.split(',').filter(Boolean) ?? [];
  const base = query.get('base');
  const method =
    methods.find((one) => one.name === query.get('op')) ??
    (methods.find((one) => one.name === FIRST) as MergeMethod);
  const composition: Composition = {
    method,
    models,
    base: base !== null && models.includes(base) ? base : null,
    weights,
    parameters,
  };
  function change(next: Change) {
    if (next.weights) setWeights(next.weights);
    if (next.tokenizerSource !== undefined) setTokenizerSource(next.tokenizerSource);
    if (next.name !== undefined) setName(next.name);
    if (next.parameters || next.op) setParameters(next.parameters ?? {});
    if (next.models || next.base !== undefined || next.op)
      setQuery(
        (now) => {
          const address = new URLSearchParams(now);
          const put = (key: string, value: string | null | undefined) => {
            if (value === undefined) return;
            if (value) address.set(key, value);
            else address.delete(key);
          };
          put('models', next.models?.join(','));
          put('base', next.base);
          put('op', next.op);
          return address;
        },
        { replace: true },
      );
  }
  return { composition, tokenizerSource, name, change };
}

interface ComposerProps {
  methods: readonly MergeMethod[];
  models: readonly Model[];
  composition: Composition;
  tokenizerSource: string;
  name: string;
  /** Of the forecast or the start. */
  error: unknown;
  change: (next: Change) => void;
}

/** A merge put together from registered models and one method. */
export function Composer(props: ComposerProps) {
  const { methods, models, composition, tokenizerSource, name, error, change } = props;
  const { method } = composition;
  const chosen = composition.models.flatMap((id) => models.find((model) => model.id === id) ?? []);
  const fields = parametersOf(method);
  const errors = fieldErrors(error);
  return (
    <>
      <Panel title="Models" note={chosen.length > 0 ? `${chosen.length} chosen` : 'of one architecture'}>
        <ModelChoice
          models={models}
          chosen={composition.models}
          onChange={(next) => change({ models: next })}
        />
      </Panel>
      <Panel title="Method">
        <Stack gap="lg">
          <MethodChoice methods={methods} method={method} onChange={(op) => change({ op })} />
          {chosen.length > 0 && (
            <Roles
              composition={composition}
              models={chosen}
              onBase={(base) => change({ base: base ?? '' })}
              onWeight={(id, weight) => change({ weights: { ...composition.weights, [id]: weight } })}
            />
          )}
          {fields.length > 0 && (
            <FieldGrid
              fields={fields}
              names={fields.map((field) => field.name)}
              values={composition.parameters}
              onChange={(parameters) => change({ parameters })}
              errors={errors}
              prefix="recipe.parameters."
            />
          )}
        </Stack>
      </Panel>
      <Panel title="Result">
        <Stack gap="md">
          <TextInput
            label="Name in the registry"
            description="letters, digits and . _ -; empty: chosen by the run"
            value={name}
            onChange={(event) => change({ name: event.currentTarget.value })}
            error={errors.get('name')}
            maxLength={128}
          />
          {(vocabulariesDiffer(chosen) || tokenizerSource !== '') && (
            <NativeSelect
              label="Vocabulary"
              description="the models read different ones: embedding rows are matched by token"
              data={[
                { value: '', label: 'that of the base, or of the first model' },
                { value: 'union', label: 'union: the tokens of all' },
                ...chosen.map((model) => ({ value: model.id, label: `that of ${model.name}` })),
              ]}
              value={tokenizerSource}
              onChange={(event) => change({ tokenizerSource: event.currentTarget.value })}
              error={errors.get('tokenizer_source')}
            />
          )}
        </Stack>
      </Panel>
    </>
  );
}
