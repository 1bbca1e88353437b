/** `forge import`: a model's folder, sent file by file, linked or fetched from the hub, becomes a registered model. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { FolderSource, HubSource, ModelImport } from '../../../openapi/backend.js';
import {
  type FolderFile,
  type Following,
  followImport,
  importFolder,
} from '../../../openapi/folder-import.js';
import { UsageError } from './arguments.js';
import type { Api } from './contract.js';
import { bytes, count } from './format.js';

export type ImportOrder = {
  /** A folder here, one on the backend's machine, or a repository. */
  source: string | FolderSource | HubSource;
  name: string;
  /** Of an adapter: the model that it is merged onto. */
  base: string | undefined;
  json: boolean;
  url: string | undefined;
  token: string | undefined;
};

export const IMPORT_USAGE =
  'npm run forge -- import FOLDER | hf:OWNER/NAME[@REVISION] [--linked] [--base MODEL] [--name NAME] [--url URL] [--token TOKEN] [--json]';
/** Deeper than any folder that is a model. */
const DEEPEST = 4;

/** @param cwd where a relative folder starts */
export function importOrder(argv: string[], cwd: string): ImportOrder {
  const { values, positionals } = parsed(argv);
  const [folder, ...others] = positionals;
  if (folder === undefined || others.length > 0)
    throw new UsageError(`one folder is needed: ${IMPORT_USAGE}`);
  const source = sourceOf(folder, values.linked ?? false, cwd);
  return {
    source,
    name: values.name ?? nameOf(basename(typeof source === 'string' ? source : pathOf(source))),
    base: values.base,
    json: values.json ?? false,
    url: values.url,
    token: values.token,
  };
}

function sourceOf(text: string, linked: boolean, cwd: string): ImportOrder['source'] {
  const hub = /^hf:([^@]+)(?:@(.+))?$/.exec(text);
  if (hub?.[1]) return { kind: 'hub', repository: hub[1], revision: hub[2] ?? 'main' };
  const path = resolve(cwd, text);
  return linked ? { kind: 'folder', path } : path;
}

function pathOf(source: FolderSource | HubSource): string {
  return source.kind === 'hub' ? source.repository : source.path;
}

function parsed(argv: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    const options = { name: text, base: text, url: text, token: text, json: flag, linked: flag } as const;
    return parseArgs({ args: argv, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : error}; ${IMPORT_USAGE}`);
  }
}

/** @returns whether it became a model; what happened is told line by line. */
export async function runImport(
  api: Api,
  { source, name, base }: Pick<ImportOrder, 'source' | 'name' | 'base'>,
  say: (line: string) => void,
): Promise<ModelImport> {
  const told = new Set<string>();
  const following: Following = {
    signal: new AbortController().signal,
    told(state) {
      for (const line of linesOf(state)) {
        if (!told.has(line)) say(line);
        told.add(line);
      }
    },
  };
  const ended =
    typeof source === 'string'
      ? await importFolder(api, { name, base, files: await filesBelow(source) }, following)
      : await followImport(
          api,
          (await api.post('/api/v1/imports', { body: { name, base: base ?? null, source } })).id,
          following,
        );
  if (ended.model_id !== null) {
    const model = await api.get('/api/v1/models/{model_id}', { path: { model_id: ended.model_id } });
    say(`${model.name}: ${count(model.parameters)} parameters, digest ${model.digest}`);
  }
  return ended;
}

/** What can be said of an import, once each. */
function linesOf({ status, files, fault }: ModelImport): string[] {
  return [
    ...files.flatMap((file) => {
      if (file.left_out !== null) return [`${file.name} is left out: it ${file.left_out}`];
      return file.received === file.bytes ? [`${file.name}: ${bytes(file.bytes)} there`] : [];
    }),
    ...(status === 'checking' ? ['all files are there; the backend reads and hashes them'] : []),
    ...(fault ? [[fault.detail, fault.hint].filter(Boolean).join(' ')] : []),
  ];
}

async function filesBelow(folder: string): Promise<FolderFile[]> {
  const found: FolderFile[] = [];
  async function walk(directory: string, level: number): Promise<void> {
    for (const entry of await readdir(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) {
        if (level < DEEPEST && !entry.name.startsWith('.')) await walk(path, level + 1);
        continue;
      }
      // Links are followed here, on the person's own machine: the hub's cache is made of them.
      const { size } = await stat(path);
      found.push({
        name: relative(folder, path),
        bytes: size,
        from: (start) => createReadStream(path, { start }),
      });
    }
  }
  try {
    await walk(folder, 0);
  } catch (error) {
    throw new UsageError(`${folder} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  if (found.length === 0) throw new UsageError(`${folder} holds no files`);
  return found;
}

/** A name that the registry takes. */
function nameOf(folder: string): string {
  return folder
    .replaceAll(/[^A-Za-z0-9._-]+/g, '_')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 128);
}
