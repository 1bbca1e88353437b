import { Button, Checkbox, Group, NativeSelect, NumberInput, Stack, Textarea } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { datasets } from '../api/queries.ts';
import type { ModelDetail, PredictRequest } from '../api/schema.ts';
import { stageName } from '../runs/status.ts';
import classes from './answer-panel.module.css';
import { AnswerPanel } from './answer-panel.tsx';
import { useAnswers } from './answers.ts';

/** Ask a model something, and those that it was made from the same beside it. */
export function Playground({ model }: { model: ModelDetail }) {
  const [prompt, setPrompt] = useState('');
  const [expected, setExpected] = useState<string | null>(null);
  const [limit, setLimit] = useState(model.architecture?.kind === 'causal_lm' ? 64 : 32);
  const [temperature, setTemperature] = useState(0);
  const [seed, setSeed] = useState(0);
  const canChat = model.tokenizer?.chat_template ?? false;
  const [chat, setChat] = useState(canChat);
  const [withParents, setWithParents] = useState(model.parents.length > 0);
  const { answers, ask, stop } = useAnswers();
  const isGoing = answers.some(({ state }) => state === 'waiting' || state === 'answering');
  const body: PredictRequest = { prompt, max_tokens: limit, chat, temperature, seed };
  return (
    <Stack gap="md">
      {model.architecture?.kind !== 'causal_lm' && (
        <Examples
          onChoose={(example) => {
            setPrompt(example.prompt);
            setExpected(example.answer);
          }}
        />
      )}
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
        <Amount label="Max tokens" value={limit} onChange={setLimit} min={1} max={512} />
        <Amount
          label="Temperature"
          value={temperature}
          onChange={setTemperature}
          min={0}
          max={2}
          step={0.1}
          decimals
        />
        {temperature > 0 && (
          <Amount label="Seed" value={seed} onChange={setSeed} min={0} max={Number.MAX_SAFE_INTEGER} />
        )}
        {isGoing ? (
          <Button variant="default" onClick={stop}>
            Stop
          </Button>
        ) : (
          <Button
            onClick={() => ask([model.id, ...(withParents ? model.parents : [])], body)}
            disabled={prompt === ''}
          >
            Ask
          </Button>
        )}
      </Group>
      <Group gap="lg">
        {canChat && (
          <Checkbox
            label="Chat template"
            checked={chat}
            onChange={(event) => setChat(event.currentTarget.checked)}
          />
        )}
        {model.parents.length > 0 && (
          <Checkbox
            label={`Ask its ${model.parents.length === 1 ? 'parent' : `${model.parents.length} parents`} the same`}
            checked={withParents}
            onChange={(event) => setWithParents(event.currentTarget.checked)}
          />
        )}
      </Group>
      {answers.length > 0 && (
        <div className={classes.answers}>
          {answers.map((answer) => (
            <AnswerPanel key={answer.modelId} answer={answer} expected={expected} />
          ))}
        </div>
      )}
    </Stack>
  );
}

function Examples({ onChoose }: { onChoose: (example: { prompt: string; answer: string }) => void }) {
  const examples = useQuery(datasets);
  return (
    <NativeSelect
      label="Example"
      data={[
        { value: '', label: 'none' },
        ...(examples.data?.map(({ name }) => ({ value: name, label: stageName(name) })) ?? []),
      ]}
      onChange={({ currentTarget: { value: name } }) => {
        const example = examples.data?.find((dataset) => dataset.name === name);
        if (example) onChoose({ prompt: example.example_prompt, answer: example.example_answer });
      }}
      maw={320}
    />
  );
}

type AmountProps = {
  label: string;
  value: number;
  onChange: (value: number) => void;
  min: number;
  max: number;
  step?: number;
  decimals?: boolean;
};

function Amount({ label, value, onChange, min, max, step = 1, decimals = false }: AmountProps) {
  return (
    <NumberInput
      label={label}
      value={value}
      onChange={(next) => typeof next === 'number' && onChange(next)}
      min={min}
      max={max}
      step={step}
      allowDecimal={decimals}
      w={120}
    />
  );
}
