import { ActionIcon, Button, Group, Text } from '@mantine/core';
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react';
import { useMemo } from 'react';
import type { Candidate, EvoMergeSettings, Generation } from '../api/schema.ts';
import { figure } from '../format/number.ts';
import { duration } from '../format/time.ts';
import { Panel } from '../shell/panel.tsx';
import { CandidateCard } from './candidate-card.tsx';
import classes from './generation-board.module.css';

interface GenerationBoardProps {
  candidates: readonly Candidate[];
  generations: readonly Generation[];
  weights: EvoMergeSettings['fitness'];
  championId: string | null;
  generation: number;
  newest: number;
  following: boolean;
  onGeneration: (generation: number | null) => void;
  onOpen: (candidate: string) => void;
}

/** The candidates of one generation, and the way through all of them. */
export function GenerationBoard(props: GenerationBoardProps) {
  const {
    candidates,
    generations,
    weights,
    championId,
    generation,
    newest,
    following,
    onGeneration,
    onOpen,
  } = props;
  const shown = useMemo(
    () =>
      candidates.filter((candidate) => candidate.generation === generation).sort((a, b) => a.slot - b.slot),
    [candidates, generation],
  );
  const summary = generations.find(({ index }) => index === generation);
  const move = (to: number) => onGeneration(Math.max(0, Math.min(newest, to)));
  return (
    <Panel
      title={`Generation ${generation}`}
      note={
        summary
          ? `best ${figure(summary.best)} · mean ${figure(summary.mean)} · ${duration(summary.seconds)}`
          : `${shown.length} evaluated so far`
      }
      actions={
        !following && (
          <Button size="compact-xs" variant="default" onClick={() => onGeneration(null)}>
            Follow the newest
          </Button>
        )
      }
    >
      {newest > 0 && (
        <Group gap="xs" wrap="nowrap" mb="md">
          <ActionIcon
            variant="default"
            aria-label="Generation before"
            onClick={() => move(generation - 1)}
            disabled={generation === 0}
          >
            <IconChevronLeft size={16} />
          </ActionIcon>
          <input
            type="range"
            className={classes.slider}
            aria-label="Generation"
            min={0}
            max={newest}
            value={generation}
            onChange={(event) => move(event.currentTarget.valueAsNumber)}
          />
          <ActionIcon
            variant="default"
            aria-label="Next generation"
            onClick={() => move(generation + 1)}
            disabled={generation === newest}
          >
            <IconChevronRight size={16} />
          </ActionIcon>
        </Group>
      )}
      <div className={classes.cards}>
        {shown.map((candidate) => (
          <CandidateCard
            key={candidate.id}
            candidate={candidate}
            rank={summary ? summary.ranked.indexOf(candidate.id) + 1 : null}
            isChampion={candidate.id === championId}
            weights={weights}
            onOpen={() => onOpen(candidate.id)}
          />
        ))}
      </div>
      <Text size="xs" c="dimmed" mt="sm">
        Bars: <Key color="--series-1">likelihood</Key> <Key color="--series-2">accuracy</Key>{' '}
        <Key color="--series-3">compute</Key> <Key color="--series-4">memory</Key>, each as it counts in the
        fitness.
      </Text>
    </Panel>
  );
}

function Key({ color, children }: { color: string; children: string }) {
  return (
    <span className={classes.key}>
      <i style={{ background: `var(${color})` }} />
      {children}
    </span>
  );
}
