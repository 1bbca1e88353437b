import { Table, Text, Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { memo, useState } from 'react';
import { model } from '../api/queries.ts';
import type { PredictedToken } from '../api/schema.ts';
import { count, percent } from '../format/number.ts';
import { duration } from '../format/time.ts';
import { ProblemNote } from '../shell/problem.tsx';
import type { Answer } from './answer.ts';
import classes from './answer-panel.module.css';
import { ModelName } from './model-name.tsx';

const REASONS = {
  end_token: 'ended by itself',
  max_tokens: 'stopped at max tokens',
  context_full: 'stopped where the model reads no further',
  fault: 'broken off',
} as const;

/** One model's answer, as it comes; each token can be looked into. */
export function AnswerPanel({ answer, expected }: { answer: Answer; expected: string | null }) {
  const found = useQuery(model(answer.modelId));
  const name = found.data?.name ?? answer.modelId;
  const [chosen, setChosen] = useState(0);
  const text = answer.ended?.answer ?? answer.tokens.map((token) => token.text).join('');
  const looked = answer.tokens[Math.min(chosen, answer.tokens.length - 1)];
  return (
    <section className={classes.panel} aria-label={`Answer of ${name}`} aria-busy={isGoing(answer)}>
      <Title order={3} size="h5" style={{ overflowWrap: 'anywhere' }}>
        <ModelName name={name} />
      </Title>
      <Text size="sm" c="dimmed" role="status">
        {stateOf(answer)}
        {expected !== null && (
          <>
            {' '}
            · expected <code>{expected}</code>
          </>
        )}
      </Text>
      <Text ff="monospace" my={6} className={classes.answer}>
        {text || (answer.state === 'ended' ? '(nothing)' : '…')}
      </Text>
      {answer.ended?.fault && <Text size="sm">{answer.ended.fault}</Text>}
      {answer.state === 'failed' && <ProblemNote error={answer.error} />}
      {answer.tokens.length > 0 && (
        <ul className={classes.tokens} aria-label="Tokens">
          {answer.tokens.map((token, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: tokens are known by their place
            <li key={index}>
              <Token token={token} index={index} isChosen={token === looked} choose={setChosen} />
            </li>
          ))}
        </ul>
      )}
      {looked && <Looked token={looked} />}
      {answer.read !== '' && (
        <details className={classes.read}>
          <summary>Prompt as the model reads it, {count(answer.promptTokens)} tokens</summary>
          <pre>{answer.read}</pre>
        </details>
      )}
    </section>
  );
}

type TokenProps = {
  token: PredictedToken;
  index: number;
  isChosen: boolean;
  choose: (index: number) => void;
};

const Token = memo(function Token({ token, index, isChosen, choose }: TokenProps) {
  return (
    <button
      type="button"
      className={classes.token}
      aria-pressed={isChosen}
      onClick={() => choose(index)}
      onFocus={() => choose(index)}
    >
      <code>{visible(token.text)}</code>
      <span>{percent(token.probability)}</span>
    </button>
  );
});

/** What else could have stood in a token's place, and what a TinyTitan did for it. */
function Looked({ token }: { token: PredictedToken }) {
  return (
    <div className={classes.looked}>
      <Table fz="xs" verticalSpacing={2} captionSide="top">
        <Table.Caption ta="left" mt={0} mb={4}>
          Likeliest in the place of <code>{visible(token.text)}</code>, {percent(token.probability, 1)}
        </Table.Caption>
        <Table.Tbody>
          {token.likeliest.map(({ text, probability }, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two tokens may look alike
            <Table.Tr key={index}>
              <Table.Td w="35%">
                <code>{visible(text)}</code>
              </Table.Td>
              <Table.Td w="50%">
                <span className={classes.bar} aria-hidden>
                  <i style={{ width: `${probability * 100}%` }} />
                </span>
              </Table.Td>
              <Table.Td ta="right">{percent(probability, 1)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {token.depth !== null && (
        <Text size="xs" c="dimmed">
          Depth {token.depth.toFixed(1)} blocks · memory gate {token.memory_gate?.toFixed(2) ?? '–'}
        </Text>
      )}
    </div>
  );
}

const isGoing = ({ state }: Answer): boolean => state === 'waiting' || state === 'answering';

function stateOf({ state, tokens, ended }: Answer): string {
  switch (state) {
    case 'waiting':
      return 'Opening the model';
    case 'answering':
      return 'Answering';
    case 'ended':
      return ended
        ? `${count(tokens.length)} tokens in ${duration(ended.seconds)}, ${REASONS[ended.reason]}`
        : '';
    case 'stopped':
      return `Stopped after ${count(tokens.length)} tokens`;
    case 'failed':
      return 'No answer';
    default:
      state satisfies never;
      return '';
  }
}

const visible = (text: string): string => text.replaceAll(' ', '␣').replaceAll('\n', '↵') || '∅';
