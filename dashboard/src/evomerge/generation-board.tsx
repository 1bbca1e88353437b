import { ActionIcon, Button, Group, Text } from '@mantine/core';
import { IconChevronLeft, IconChevronRight } from '@tabler/icons-react';
import { useMemo } from 'react';
import type { Candidate, EvoMergeSettings, Generation } from '../api/schema.ts';
import { figure } from '../format/number.ts';
import { duration } from '../format/time.ts';
import { Panel } from '../shell/panel.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { type Position, rankOf, slotsOf } from './board.ts';
import { CandidateCard, EmptyCard } from './candidate-card.tsx';
import classes from './generation-board.module.css';
import { NextGeneration } from './next-generation.tsx';

interface GenerationBoardProps {
  /** Of the generation that is shown; undefined while they are asked for. */
  candidates: readonly Candidate[] | undefined;
  /** Of the newest generations. */
  recent: readonly Candidate[];
  generations: readonly Generation[];
  weights: EvoMergeSettings['fitness'];
  championId: string | null;
  /** The generation that is shown; that which is being filled stands above it. */
  generation: number;
  position: Position;
  population: number;
  /** Whether the run goes on filling at this moment, will go on, or has ended. */
  state: 'filling' | 'waiting' | 'ended';
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
    recent,
    position: { filling, newest },
    population,
    state,
    following,
    onGeneration,
    onOpen,
  } = props;
  const slots = useMemo(
    () => candidates && slotsOf(candidates, generation, population, state),
    [candidates, generation, population, state],
  );
  const next = useMemo(
    () => (filling === null || filling === generation ? null : slotsOf(recent, filling, population, state)),
    [recent, filling, generation, population, state],
  );
  const evaluated = slots?.filter(({ candidate }) => candidate !== null).length ?? 0;
  const summary = generations.find(({ index }) => index === generation);
  const move = (to: number) => onGeneration(Math.max(0, Math.min(newest, to)));
  return (
    <Panel
      title={`Generation ${generation}`}
      note={
        summary
          ? [
              ...(summary.ranked.length > (summary.stopped_early ?? 0)
                ? [`best ${figure(summary.best)}`, `mean ${figure(summary.mean)}`]
                : []),
              ...(summary.stopped_early ? [`${summary.stopped_early} stopped early`] : []),
              ...(summary.faulted ? [`${summary.faulted} without scores`] : []),
              duration(summary.seconds),
            ].join(' · ')
          : `${evaluated} of ${slots?.length ?? population} evaluated`
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
      {next && filling !== null && <NextGeneration index={filling} slots={next} onOpen={onOpen} />}
      {!slots && <Waiting for="the candidates" rows={6} />}
      <div className={classes.cards}>
        {slots?.map((slot) =>
          slot.candidate ? (
            <CandidateCard
              key={slot.index}
              candidate={slot.candidate}
              rank={rankOf(slot.candidate.id, summary)}
              ranked={summary?.ranked.length ?? 0}
              isChampion={slot.candidate.id === championId}
              weights={weights}
              onOpen={onOpen}
            />
          ) : (
            <EmptyCard key={slot.index} slot={slot} generation={generation} />
          ),
        )}
      </div>
      <Text size="xs" c="dimmed" mt="sm">
        The bar’s parts, each as it counts in the fitness: <Key color="--series-1">likelihood</Key>{' '}
        <Key color="--series-2">accuracy</Key> <Key color="--series-3">compute</Key>{' '}
        <Key color="--series-4">memory</Key>
        {slots?.some(({ candidate }) => candidate?.fitness.partial) &&
          '· ≈ and paler: stopped early, on fewer problems, so less certain and not comparable'}
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
