import { useQuery } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useSearchParams } from 'wouter';
import { hasEnded } from '../../../openapi/realtime.ts';
import { report } from '../api/queries.ts';
import type { EvoMergeReport } from '../api/schema.ts';
import { count } from '../format/number.ts';
import { useCandidate, useGeneration } from '../live/candidates.ts';
import { useProgress, useRun } from '../live/hooks.ts';
import type { RunView } from '../live/topic.ts';
import { RunCommands } from '../runs/commands.tsx';
import { RunProgress } from '../runs/progress.tsx';
import { RunFailure, RunLead } from '../runs/run-head.tsx';
import { stageName } from '../runs/status.ts';
import { Fact, Facts } from '../shell/fact.tsx';
import { Page } from '../shell/page.tsx';
import { Panel } from '../shell/panel.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Waiting } from '../shell/waiting.tsx';
import { BarrierPaths } from './barrier-paths.tsx';
import { positionOf } from './board.ts';
import { CandidateDrawer } from './candidate-drawer.tsx';
import { BASES } from './comparison.ts';
import { Faulted } from './faulted.tsx';
import { FitnessChart } from './fitness-chart.tsx';
import { GenerationBoard } from './generation-board.tsx';
import { Outcome } from './outcome.tsx';
import { ParetoFront } from './pareto-front.tsx';
import { STRATEGIES } from './strategies.ts';
import { VerdictPanel } from './verdict-panel.tsx';

/** What the backend calls the stages after the last generation. */
const FINAL_STAGES = ['finalists', 'held-out evaluation'];
const NO_BASELINES: EvoMergeReport['baselines'] = [];

export default function EvoMergeRunPage({ id }: { id: string }) {
  const { view, problem } = useRun(id);
  if (problem && !view) return <ProblemNote error={problem} />;
  if (!view) return <Waiting for="the run" rows={6} />;
  return <EvoMergeRun view={view} />;
}

function EvoMergeRun({ view }: { view: RunView }) {
  const { run, candidates } = view;
  const generations = useMemo(
    () => [...view.generations].sort((a, b) => a.index - b.index),
    [view.generations],
  );
  const found = useQuery(report(run.id));
  const outcome = found.data?.kind === 'evomerge' ? found.data : undefined;
  const [query, setQuery] = useSearchParams();
  const open = useCandidate(view, query.get('candidate'));
  const show = (candidate: string | null) => setQuery(candidate ? { candidate } : {}, { replace: true });
  // null follows the newest generation that is complete
  const [picked, setPicked] = useState<number | null>(null);
  const settings = run.evomerge ?? run.settings;
  const planned = settings?.generations ?? 0;
  const { stage } = useProgress(run);
  const bred = hasEnded(run.status) || FINAL_STAGES.includes(stage);
  const position = useMemo(
    () => positionOf(candidates, generations, planned, bred),
    [candidates, generations, planned, bred],
  );
  const generation = picked ?? position.complete ?? position.newest;
  const shown = useGeneration(view, generation);
  const verdict = outcome && <VerdictPanel report={outcome} run={run} onOpen={show} />;
  return (
    <Page title={run.name} lead={<RunLead run={run} here="live" />} actions={<RunCommands run={run} />}>
      <RunFailure run={run} />
      {hasEnded(run.status) && verdict}
      <Panel>
        <RunProgress run={run} />
      </Panel>
      {!hasEnded(run.status) && verdict}
      <Panel>
        <Facts wide>
          {settings?.strategy && <Fact label="Strategy">{STRATEGIES[settings.strategy]}</Fact>}
          {outcome?.basis && (
            <Fact label="Task vectors" note={BASES[outcome.basis]}>
              {stageName(outcome.basis)}
            </Fact>
          )}
          <Fact label="Complete generations" note={planned > 0 ? `of ${count(planned)}` : undefined}>
            {count(generations.length)}
          </Fact>
          <Fact label="Candidates">{count(view.candidate_count)}</Fact>
        </Facts>
      </Panel>
      {candidates.length === 0 ? (
        <Panel title="Candidates">
          <p style={{ margin: 0, color: 'var(--mantine-color-dimmed)', fontSize: 14 }}>
            {run.status === 'queued' && run.depends_on
              ? 'It begins when its parents are trained.'
              : 'No candidate has been evaluated yet.'}
          </p>
        </Panel>
      ) : (
        <>
          <FitnessChart
            generations={generations}
            baselines={outcome?.baselines ?? NO_BASELINES}
            generation={generation}
            newest={position.newest}
            onPick={(index) => setPicked(index)}
          />
          {shown.error && <ProblemNote error={shown.error} />}
          <GenerationBoard
            candidates={shown.candidates}
            recent={candidates}
            generations={generations}
            weights={settings?.fitness}
            championId={run.champion_id}
            generation={generation}
            position={position}
            population={settings?.population ?? 0}
            state={bred ? 'ended' : run.status === 'running' ? 'filling' : 'waiting'}
            following={picked === null}
            onGeneration={setPicked}
            onOpen={show}
          />
          <Faulted
            candidates={candidates}
            total={generations.reduce((sum, { faulted = 0 }) => sum + faulted, 0)}
            onOpen={show}
          />
          {outcome && (
            <ParetoFront
              report={outcome}
              candidates={candidates}
              championId={run.champion_id}
              onOpen={show}
            />
          )}
        </>
      )}
      {outcome && outcome.barriers.length > 0 && <BarrierPaths report={outcome} />}
      {outcome && outcome.baselines.length > 0 && <Outcome report={outcome} run={run} />}
      <CandidateDrawer
        candidate={open}
        generation={generations.find(({ index }) => index === open?.generation)}
        championId={run.champion_id}
        onClose={() => show(null)}
      />
    </Page>
  );
}
