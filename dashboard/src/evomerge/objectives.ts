import type { EvoMergeReport, Fitness } from '../api/schema.ts';
import { bytes, figure, percent } from '../format/number.ts';
import { stageName } from '../runs/status.ts';

/** Something that candidates can be compared by. */
export interface Objective {
  /** As the report's front names it; `fitness` beside. */
  name: string;
  label: string;
  format: (value: number) => string;
  of: (scored: Scored) => number | undefined;
}

/** A candidate, or a baseline's scores on the same problems; for a point of the front, what the report has of it. */
export interface Scored {
  bytes?: number;
  fitness: Pick<Fitness, 'total'> & { tasks: Readonly<Record<string, Readonly<Record<string, number>>>> };
}

const ACCURACY = 'accuracy/';

const FITNESS: Objective = { name: 'fitness', label: 'Fitness', format: figure, of: (s) => s.fitness.total };
const SIZE: Objective = { name: 'bytes', label: 'Tensor bytes', format: bytes, of: (s) => s.bytes };

/** A candidate from its point on the front, where it is not among the loaded ones. */
export function scoredOf({ fitness, objectives }: EvoMergeReport['pareto_front'][number]): Scored {
  const { [SIZE.name]: size, ...others } = objectives;
  const tasks = Object.entries(others).map(([name, accuracy]) => [name.slice(ACCURACY.length), { accuracy }]);
  return {
    ...(size === undefined ? {} : { bytes: size }),
    fitness: { total: fitness, tasks: Object.fromEntries(tasks) },
  };
}

/** Fitness, the accuracy of each task, and size, as far as the front knows them. */
export function objectivesOf(front: EvoMergeReport['pareto_front']): Objective[] {
  const names = Object.keys(front[0]?.objectives ?? {});
  const tasks = names
    .filter((name) => name.startsWith(ACCURACY))
    .map((name): Objective => {
      const task = name.slice(ACCURACY.length);
      return {
        name,
        label: `${stageName(task)}, accuracy`,
        format: (share) => percent(share, 1),
        of: ({ fitness }) => fitness.tasks[task]?.accuracy,
      };
    });
  return [FITNESS, ...tasks, ...(names.includes(SIZE.name) ? [SIZE] : [])];
}
