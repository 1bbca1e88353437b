import { baselineName, places, rivalsOf } from '../../../openapi/rivals.js';
import type { S } from './contract.js';
import { bytes, count, figure, seconds, sparkline, table } from './format.js';
import type { Champion, Report } from './report.js';

const DIGEST_CHARACTERS = 12;

/** The report for a person. */
export function reportText(report: Report, width: number): string {
  const sections = [
    report.verdict ? [report.verdict.sentence] : [],
    fitnessLines(report),
    runLines(report),
    modelLines(report),
    heldoutLines(report),
    barrierLines(report),
    historyLines(report, width),
    report.champion ? championLines(report.champion) : [],
    proofLines(report),
    timingLines(report),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function runLines({ runs }: Report): string[] {
  return runs
    .filter(({ status }) => status !== 'succeeded')
    .flatMap(({ id, kind, status, failure }) => [
      `${kind} run ${id}: ${status}${failure ? `, ${failure.message}` : ''}`,
      ...(failure?.hint ? [`  ${failure.hint}`] : []),
      ...(failure?.log_tail ?? []).map((line) => `  | ${line}`),
    ]);
}

function modelLines({ models }: Report): string[] {
  if (models.length === 0) return [];
  const total = models.reduce((sum, { parameters }) => sum + parameters, 0);
  const rows = models.map(({ name, parameters, bytes: size, digest }) => [
    name,
    count(parameters),
    bytes(size),
    digest.slice(0, DIGEST_CHARACTERS),
  ]);
  return [
    `Models (${count(total)} parameters in all)`,
    ...table([['name', 'parameters', 'size', 'digest'], ...rows], [1, 2]),
    ...models.map(({ path }) => path),
  ];
}

function heldoutLines({ heldout }: Report): string[] {
  if (heldout.length === 0) return [];
  const rows = heldout.map(({ stage, dataset, first, last }) => [
    stage,
    shortDataset(dataset),
    `${figure(first.loss)} → ${figure(last.loss)}`,
    `${figure(first.perplexity)} → ${figure(last.perplexity)}`,
    `${figure(first.accuracy)} → ${figure(last.accuracy)}`,
  ]);
  return [
    'Held-out problems, first → last evaluation',
    ...table([['stage', 'dataset', 'loss', 'perplexity', 'accuracy'], ...rows], [2, 3, 4]),
  ];
}

const shortDataset = (name: string) => (name.startsWith('file:') ? (name.split('/').at(-1) ?? name) : name);

function barrierLines({ barriers, aligned_to, models }: Report): string[] {
  if (barriers.length === 0) return [];
  const name = (id: string) => models.find((model) => model.id === id)?.name ?? id;
  const rows = barriers.map(({ first, second, before, after }) => [
    name(first),
    name(second),
    figure(before.barrier),
    ...(aligned_to ? [after ? figure(after.barrier) : ''] : []),
  ]);
  return [
    'Barriers between parents: rise of loss on the straight line between them, nats; near 0, they can be averaged',
    ...table([['first', 'second', 'as trained', ...(aligned_to ? ['aligned'] : [])], ...rows], [2, 3]),
    ...barriers.flatMap(({ first, second, before, after }) =>
      [before, ...(after ? [after] : [])].flatMap(({ fault }) =>
        fault ? [`between ${name(first)} and ${name(second)}: ${fault.message}`] : [],
      ),
    ),
  ];
}

/** The hardest to beat first: the best single merge, the champion without its polish and with it, the best parent. */
function fitnessLines({ champion, unpolished, baselines, finalists, basis }: Report): string[] {
  const { merge, parent, others } = rivalsOf(baselines, champion?.heldout ? 'heldout' : 'selection');
  const baselineRow = (one: S['Baseline'], title = '') =>
    fitnessRow(title + baselineName(one), one.selection, one.fault, one.heldout);
  const rows = [
    ...(merge ? [baselineRow(merge, 'Best single merge: ')] : []),
    ...(unpolished ? [fitnessRow('Champion without polish', null, null, unpolished.heldout)] : []),
    ...(champion
      ? [
          fitnessRow(
            champion.polished ? 'Champion, polished' : 'Champion',
            champion.fitness,
            null,
            champion.heldout,
          ),
        ]
      : []),
    ...(parent ? [baselineRow(parent, 'Best parent: ')] : []),
    ...others.map((one) => baselineRow(one)),
  ];
  if (rows.length === 0) return [];
  const head = ['', 'selection', 'held-out', 'accuracy', 'depth', 'likelihood', 'compute', 'memory'];
  const faults = [
    ...(champion?.heldout_fault ? [`Champion, held-out: ${champion.heldout_fault.message}`] : []),
    ...baselines.flatMap((one) => [
      ...(one.fault ? [`${baselineName(one)}: ${one.fault.message}`] : []),
      ...(one.heldout_fault ? [`${baselineName(one)}, held-out: ${one.heldout_fault.message}`] : []),
    ]),
  ];
  return [
    'Fitness and its held-out components',
    ...table([head, ...rows], [1, 2, 3, 4, 5, 6, 7]),
    ...faults.map((line) => `not measurable: ${line}`),
    ...(champion ? fresherLine(champion, finalists, parent) : []),
    ...(basis ? [BASES[basis]] : []),
  ];
}

/**
 * What is left of the champion's fitness on problems that did not choose it. Nothing chose the parent: what it gains or
 * loses is the difficulty of the problems.
 */
function fresherLine(champion: Champion, finalists: S['Finalist'][], parent: S['Baseline'] | null): string[] {
  const final = places(finalists, champion.candidate);
  if (!final) return [];
  const { fresh, of, place, placeInSearch } = final;
  const steps = [
    `${figure(champion.fitness.total)} in the search (place ${placeInSearch} of ${of} finalists)`,
    `${figure(fresh.total)} on fresh problems (place ${place})`,
    ...(champion.heldout ? [`${figure(champion.heldout.total)} held-out`] : []),
  ];
  return [
    `The champion's fitness: ${steps.join(' → ')}`,
    ...(parent?.heldout
      ? [`The best parent's: ${figure(parent.selection.total)} → ${figure(parent.heldout.total)} held-out`]
      : []),
  ];
}

const BASES: Record<NonNullable<Report['basis']>, string> = {
  raw: 'Task vectors: raw, each parent less what they started from',
  decoupled:
    "Task vectors: decoupled, of each parent's change what interferes least with the others' (SWUDI)",
};

function fitnessRow(
  name: string,
  selection: S['Fitness'] | null,
  fault: S['Fault'] | null,
  heldout: S['Fitness'] | null,
): string[] {
  const parts = heldout
    ? [
        heldout.total,
        heldout.accuracy,
        heldout.mean_depth,
        heldout.likelihood,
        heldout.compute,
        heldout.memory,
      ]
    : [];
  return [name, fault ? '–' : figure(selection?.total ?? null), ...parts.map(figure)];
}

function historyLines({ fitness_history: history }: Report, width: number): string[] {
  // A generation whose candidates all failed or stopped early has no best: its 0 is not a fitness.
  const best = history.map((generation) => generation.best).filter((value) => value > 0);
  const [first = 0] = best;
  if (history.length === 0) return [];
  const ends = `${figure(first)} → ${figure(best.at(-1) ?? 0)}`;
  const faulted = history.reduce((sum, generation) => sum + generation.faulted, 0);
  return [
    `Best fitness over ${history.length} generations`,
    `${sparkline(best, Math.max(10, width - ends.length - 2))}  ${ends}`,
    ...(faulted > 0
      ? [
          `${count(faulted)} candidates could not be merged or measured: fitness 0, and nothing bred from them`,
        ]
      : []),
  ];
}

function championLines(champion: Champion): string[] {
  return [
    `Champion: ${champion.name}`,
    `  ${champion.op}, generation ${champion.generation}, candidate ${champion.candidate}`,
    `  ${count(champion.parameters)} parameters, ${count(champion.bytes)} bytes (${bytes(champion.bytes)})`,
    `  ${champion.digest}`,
    `  ${champion.path}`,
  ];
}

function proofLines({ proof }: Report): string[] {
  if (!proof) return [];
  const passed = proof.candidates.filter(({ ok }) => ok).length;
  return [
    `Proof: ${proof.ok ? 'holds' : 'FAILED'}`,
    ...proof.models.map((verification) => `  ${checksLine('model', verification)}`),
    ...(proof.champion ? [`  ${checksLine('champion', proof.champion)}`] : []),
    ...(proof.candidates.length > 0
      ? [`  ${passed} of ${proof.candidates.length} drawn candidates rebuilt from their recipes, bit for bit`]
      : []),
    ...[...proof.models, ...proof.candidates, ...(proof.champion ? [proof.champion] : [])]
      .filter(({ ok }) => !ok)
      .flatMap(({ subject_id, checks }) =>
        checks
          .filter(({ status }) => status === 'failed')
          .map(
            ({ name, expected, found, detail }) =>
              `  ${subject_id} ${name}: expected ${expected}, found ${found} (${detail})`,
          ),
      ),
  ];
}

/** One line for one verification: what was checked and how it ended. */
export function checksLine(
  subject: string,
  { subject_id, checks, seconds: took }: S['Verification'],
): string {
  const marks = { passed: '✓', failed: '✗', skipped: '–' };
  return `${subject} ${subject_id}: ${checks.map(({ name, status }) => `${marks[status]} ${name.replace('_', ' ')}`).join(', ')} (${seconds(took)})`;
}

function timingLines({ timings }: Report): string[] {
  const { creation } = timings;
  const phases = (['cognate', 'evomerge'] as const).flatMap((phase) => {
    const spent = timings[phase];
    if (!spent) return [];
    const parts = Object.entries(spent.parts).map(([name, value]) => `${name} ${seconds(value)}`);
    const nodes = spent.nodes.map(
      ({ name, busy, waited }) => `    on ${name} ${seconds(busy)}, after ${seconds(waited)} in its queue`,
    );
    return [`  ${phase} ${seconds(spent.total)}${parts.length ? `: ${parts.join(', ')}` : ''}`, ...nodes];
  });
  return [
    `Time: ${seconds(timings.command)} in all`,
    ...phases,
    ...(creation ? [`  ${creationText(creation)}`] : []),
  ];
}

function creationText({ seconds: ours, plain_seconds: plain }: S['CreationTiming']): string {
  const own = `created, saved and registered in ${ours.toFixed(2)} s`;
  return plain === null
    ? own
    : `${own}; constructed plainly with torch.save ${plain.toFixed(2)} s, ${(plain / ours).toFixed(1)} times as long`;
}
