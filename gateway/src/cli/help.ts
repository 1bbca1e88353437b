import { OWN_OPTIONS } from './arguments.js';
import { EVOLVE_USAGE } from './evolve.js';
import { allowedOf, type Flag } from './flags.js';
import { IMPORT_USAGE } from './import.js';
import { MERGE_USAGE } from './merge.js';

const COLUMN = 34;
const INDENT = ' '.repeat(COLUMN);

const TITLES: Record<Flag['group'], string> = {
  both: 'Both phases (with --cognate-… or --evomerge-… before the name: one phase only)',
  cognate: 'Parents',
  evomerge: 'Breeding',
};

/** What the command adds to a field. */
const NOTES: Record<string, string> = {
  generations: '0: parents only',
  dataset: 'may be repeated; breeding is measured on the same, unless --evomerge-dataset says otherwise',
};

/** The text of --help, made from the contract like the flags themselves. */
export function helpText(flags: Flag[], width: number): string {
  const visible = flags.filter(({ group, name }) => group === 'both' || !name.startsWith(`${group}-`));
  const sections = (['cognate', 'evomerge', 'both'] as const).flatMap((group) => [
    '',
    TITLES[group],
    ...visible.filter((flag) => flag.group === group).flatMap((flag) => flagLines(flag, width)),
  ]);
  return [
    'npm run forge -- [flags]',
    IMPORT_USAGE,
    MERGE_USAGE,
    EVOLVE_USAGE,
    '',
    'import takes a folder of the Hugging Face kind and goes on where it stopped; --linked: one below AGENT_FORGE_MODEL_ROOTS; --base: of a LoRA adapter.',
    'merge takes a configuration of mergekit as it is; its models are named by id, by name, or as they were imported.',
    'evolve takes one of mergekit-evolve; its tasks are lm-eval:<task>, unless they name a data set by file:, hf: or gym:.',
    'Trains parents, breeds them, proves the result. Progress goes to stderr, the report to stdout.',
    'Exit code: 0 all succeeded and every proof held, 1 something failed, 2 wrong flags, 130 cancelled.',
    ...sections,
    '',
    'The command itself',
    ...Object.entries(OWN_OPTIONS).flatMap(([name, { value, about }]) =>
      entry(value ? `--${name} ${value}` : `--${name}`, about, width),
    ),
    '',
    'A relative file: starts at the directory of the call. ',
    'Ctrl-C asks whether to cancel; a second one leaves at once and cancels nothing.',
  ].join('\n');
}

function flagLines(flag: Flag, width: number): string[] {
  const value = placeholder(flag);
  const head = flag.shape === 'switch' ? `--${flag.name}, --no-${flag.name}` : `--${flag.name} ${value}`;
  const range = value === 'N' ? allowedOf(flag) : '';
  return entry(
    head,
    [flag.about, range, NOTES[flag.name] ?? '', defaultOf(flag)].filter(Boolean).join('; '),
    width,
  );
}

function placeholder(flag: Flag): string {
  const one = flag.schema.enum?.join('|') ?? (numeric(flag) ? 'N' : String(flag.schema.const ?? 'TEXT'));
  if (flag.shape === 'mixture') return 'NAME[=WEIGHT] …';
  return flag.shape === 'list' ? `${one},…` : one;
}

const numeric = ({ schema }: Flag) => schema.type === 'integer' || schema.type === 'number';

function defaultOf(flag: Flag): string {
  const value = flag.default;
  if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) return '';
  const text = Array.isArray(value)
    ? value
        .map((item) => (typeof item === 'object' ? item.name : item))
        .join(flag.shape === 'list' ? ',' : ' ')
    : String(value);
  return `default ${text}`;
}

function entry(head: string, about: string, width: number): string[] {
  const lines = wrap(about, Math.max(40, width - COLUMN));
  const first = `  ${head}`;
  if (first.length > COLUMN - 2) return [first, ...lines.map((line) => INDENT + line)];
  return [first.padEnd(COLUMN) + (lines[0] ?? ''), ...lines.slice(1).map((line) => INDENT + line)];
}

function wrap(text: string, width: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line && line.length + word.length + 1 > width) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines;
}
