/** A model's folder goes to the gateway file by file, and goes on where it stopped; for the page and the command line. */
import type { ImportFile, ImportRequest, ModelImport } from './backend.js';
import { type Binary, type Client, normalise } from './client.js';
import type { paths } from './gateway.js';

export type FolderFile = {
  /** Its path below the folder. */
  name: string;
  bytes: number;
  /** Its content from this byte on. */
  from(offset: number): Binary;
};

export type FolderImport = {
  name: string;
  /** Of an adapter: the model that it is merged onto, by id or name. */
  base?: string | undefined;
  files: FolderFile[];
};

export type Following = {
  signal: AbortSignal;
  /** Told of every change; `sent` are bytes of the file that is on its way. */
  told(state: ModelImport, sending?: { name: string; sent: number }): void;
};

const ASK_AGAIN_MS = 400;

/** Ends with an import that has succeeded or failed. Rejects with a ProblemError, or where the signal was aborted. */
export async function importFolder(
  api: Client<paths>,
  { name, base = undefined, files }: FolderImport,
  following: Following,
): Promise<ModelImport> {
  const { signal, told } = following;
  const offered = files.map((file) => ({ name: file.name, bytes: file.bytes }));
  let state = await ask(
    api,
    { name, base: base ?? null, source: { kind: 'upload', files: offered } },
    signal,
  );
  told(state);
  for (const { name: file, bytes, received, left_out } of state.files) {
    const content = files.find((one) => one.name === file);
    if (left_out !== null || received >= bytes || !content) continue;
    const now = await send(api, state.id, content, received, signal, (sent) =>
      told(state, { name: file, sent: received + sent }),
    );
    state = { ...state, files: state.files.map((one) => (one.name === file ? now : one)) };
    told(state);
  }
  await api.post('/api/v1/imports/{import_id}/finish', { path: { import_id: state.id }, signal });
  return await followImport(api, state.id, following);
}

/** Waits until the backend has made the model, or has said why it cannot. */
export async function followImport(
  api: Client<paths>,
  id: string,
  { signal, told }: Following,
): Promise<ModelImport> {
  for (;;) {
    const state = await api.get('/api/v1/imports/{import_id}', { path: { import_id: id }, signal });
    told(state);
    if (state.status === 'succeeded' || state.status === 'failed') return state;
    await pause(ASK_AGAIN_MS, signal);
  }
}

function ask(api: Client<paths>, body: ImportRequest, signal: AbortSignal): Promise<ModelImport> {
  return api.post('/api/v1/imports', { body, signal });
}

async function send(
  api: Client<paths>,
  id: string,
  file: FolderFile,
  offset: number,
  signal: AbortSignal,
  onSent: (bytes: number) => void,
): Promise<ImportFile> {
  const path = `/api/v1/imports/${encodeURIComponent(id)}/files/${encodeURIComponent(file.name)}`;
  try {
    const { data } = await api.axios.put<ImportFile>(path, file.from(offset), {
      params: { offset },
      headers: { 'Content-Type': 'application/octet-stream' },
      timeout: 0,
      maxBodyLength: Number.POSITIVE_INFINITY,
      signal,
      onUploadProgress: ({ loaded }) => onSent(loaded),
    });
    return data;
  } catch (error) {
    throw normalise(error);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason);
      },
      { once: true },
    );
  });
}
