/**
 * The mirrored tables as data: fold, transaction, sweep and comparison follow from it. The columns are those of
 * prisma/schema.prisma, beside `history` and `data`, which every table has.
 */
import type {
  Candidate,
  Event,
  Generation,
  LogLine,
  Model,
  Run,
  TrainingEvaluation,
  Verification,
} from '../../../openapi/backend.js';
import type { Prisma } from '../generated/client.js';

/** What is known of a row: the contract's resource, and what its event alone says. */
type Entries = {
  event: { row: Event };
  run: { row: Run };
  model: { row: Model; deletedAt: string | null };
  evaluation: { row: TrainingEvaluation; seq: number };
  candidate: { row: Candidate };
  generation: { row: Generation };
  log: { row: LogLine; seq: number };
  verification: { row: Verification; seq: number };
};

/** Every table of the schema but the one of the histories; a table that lacks its entry does not compile. */
export type TableName = Exclude<Uncapitalize<Prisma.ModelName>, 'history'>;
export type Entry<T extends TableName> = Entries[T];

/** A type of SQL, and what JSON gives for it. */
type Types = {
  text: string;
  int: number;
  bigint: number;
  float8: number;
  boolean: boolean;
  timestamptz: string;
};

type Column<E> = { [S in keyof Types]: readonly [S, (entry: E) => Types[S] | null] }[keyof Types];

export type Table<E> = {
  /** Columns that name a row of a history. A row named by its event's number is written once, others are replaced. */
  key: readonly string[];
  columns: Readonly<Record<string, Column<E>>>;
};

export const tables: { readonly [T in TableName]: Table<Entry<T>> } = {
  event: {
    key: ['seq'],
    columns: {
      seq: ['bigint', ({ row }) => row.seq],
      run_id: ['text', ({ row }) => row.run_id],
      type: ['text', ({ row }) => row.type],
    },
  },
  run: {
    key: ['id'],
    columns: {
      id: ['text', ({ row }) => row.id],
      kind: ['text', ({ row }) => row.kind],
      status: ['text', ({ row }) => row.status],
      pipeline_id: ['text', ({ row }) => row.pipeline_id],
      created_at: ['timestamptz', ({ row }) => row.created_at],
      champion: ['float8', ({ row }) => row.champion_fitness],
      heldout: ['float8', ({ row }) => row.champion_heldout?.total ?? null],
    },
  },
  model: {
    key: ['id'],
    columns: {
      id: ['text', ({ row }) => row.id],
      kind: ['text', ({ row }) => row.kind],
      run_id: ['text', ({ row }) => row.run_id],
      name: ['text', ({ row }) => row.name],
      bytes: ['bigint', ({ row }) => row.bytes],
      created_at: ['timestamptz', ({ row }) => row.created_at],
      deleted_at: ['timestamptz', ({ deletedAt }) => deletedAt],
    },
  },
  evaluation: {
    key: ['run_id', 'stage', 'step'],
    columns: {
      run_id: ['text', ({ row }) => row.run_id],
      stage: ['text', ({ row }) => row.stage],
      step: ['bigint', ({ row }) => row.step],
      seq: ['bigint', ({ seq }) => seq],
    },
  },
  candidate: {
    key: ['id'],
    columns: {
      id: ['text', ({ row }) => row.id],
      run_id: ['text', ({ row }) => row.run_id],
      generation: ['int', ({ row }) => row.generation],
      slot: ['int', ({ row }) => row.slot],
    },
  },
  generation: {
    key: ['run_id', 'index'],
    columns: {
      run_id: ['text', ({ row }) => row.run_id],
      index: ['int', ({ row }) => row.index],
    },
  },
  log: {
    key: ['seq'],
    columns: {
      seq: ['bigint', ({ seq }) => seq],
      run_id: ['text', ({ row }) => row.run_id],
      level: ['text', ({ row }) => row.level],
    },
  },
  verification: {
    key: ['seq'],
    columns: {
      seq: ['bigint', ({ seq }) => seq],
      subject: ['text', ({ row }) => row.subject],
      subject_id: ['text', ({ row }) => row.subject_id],
      ok: ['boolean', ({ row }) => row.ok],
    },
  },
};

export const tableNames = Object.keys(tables) as TableName[];

/** Fields that change only together with an event. Progress and the like move between events, so they may differ. */
export const settled = {
  run: ['id', 'kind', 'name', 'status', 'attempt', 'pipeline_id', 'created_at', 'started_at', 'finished_at'],
  model: ['id', 'name', 'kind', 'digest', 'bytes', 'parameters', 'parents', 'created_at', 'verified'],
} satisfies { [T in TableName]?: (keyof Entry<T>['row'])[] };

/** The key of a row, by the values of its key's columns. */
export const keyOf = (...values: readonly unknown[]): string => JSON.stringify(values);

export function keyOfEntry<T extends TableName>(name: T, entry: Entry<T>): string {
  const { key, columns } = tables[name];
  return keyOf(...key.map((column) => columns[column]?.[1](entry)));
}
