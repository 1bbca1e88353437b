import { Button, Group, NativeSelect, NumberInput, Stack, Text, Textarea } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { gateway } from '../api/gateway.ts';
import { datasets } from '../api/queries.ts';
import type { Prediction } from '../api/schema.ts';
import { percent } from '../format/number.ts';
import { duration } from '../format/time.ts';
import { stageName } from '../runs/status.ts';
import { ProblemNote } from '../shell/problem.tsx';
import classes from './playground.module.css';

/** Ask a model something: its greedy answer, with probability, depth and memory gate of each token. */
export function Playground({ modelId }: { modelId: string }) {
  const examples = useQuery(datasets);
  const [prompt, setPrompt] = useState('');
  const [expected, setExpected] = useState<string | null>(null);
  const [limit, setLimit] = useState(32);
  const predict = useMutation({
    mutationFn: () =>
      gateway.post('/api/v1/models/{model_id}/predict', {
        path: { model_id: modelId },
        body: { prompt, max_tokens: limit },
        timeout: 120_000,
      }),
  });
  return (
    <Stack gap="md">
      <NativeSelect
        label="Example"
        data={[
          { value: '', label: 'none' },
          ...(examples.data?.map(({ name }) => ({ value: name, label: stageName(name) })) ?? []),
        ]}
        onChange={({ currentTarget: { value: name } }) => {
          const example = examples.data?.find((dataset) => dataset.name === name);
          if (!example) return;
          setPrompt(example.example_prompt);
          setExpected(example.example_answer);
          predict.reset();
        }}
        maw={320}
      />
      <Textarea
        label="Prompt"
        value={prompt}
        onChange={(event) => {
          setPrompt(event.currentTarget.value);
          setExpected(null);
        }}
        maxLength={4096}
        autosize
        minRows={2}
        maxRows={8}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
      />
      <Group align="flex-end" gap="sm">
        <NumberInput
          label="Max tokens"
          value={limit}
          onChange={(value) => typeof value === 'number' && setLimit(value)}
          min={1}
          max={512}
          w={120}
        />
        <Button onClick={() => predict.mutate()} disabled={prompt === '' || predict.isPending}>
          {predict.isPending ? 'The model answers…' : 'Ask'}
        </Button>
      </Group>
      {predict.isError && <ProblemNote error={predict.error} />}
      {predict.data && <Answer prediction={predict.data} expected={expected} />}
    </Stack>
  );
}

function Answer({ prediction, expected }: { prediction: Prediction; expected: string | null }) {
  const deepest = Math.max(1, ...prediction.tokens.map(({ depth }) => depth));
  return (
    <section aria-label="Answer" aria-live="polite">
      <Text size="sm" c="dimmed">
        Answer, in {duration(prediction.seconds)}
        {expected !== null && (
          <>
            {' '}
            · expected <code>{expected}</code>
          </>
        )}
      </Text>
      <Text ff="monospace" size="lg" my={6} style={{ whiteSpace: 'pre-wrap' }}>
        {prediction.answer || '(nothing)'}
      </Text>
      {prediction.fault && <Text size="sm">{prediction.fault}</Text>}
      <ul className={classes.tokens}>
        {prediction.tokens.map((token, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: tokens are known by their place
          <li key={index} className={classes.token}>
            <code className={classes.text}>{visible(token.text)}</code>
            <span>{percent(token.probability)}</span>
            <span className={classes.bar} aria-hidden>
              <i style={{ height: `${(token.depth / deepest) * 100}%` }} />
            </span>
            <span>depth {token.depth.toFixed(1)}</span>
            <span>gate {token.memory_gate?.toFixed(2) ?? '–'}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const visible = (text: string): string => text.replaceAll(' ', '␣').replaceAll('\n', '↵') || '∅';
