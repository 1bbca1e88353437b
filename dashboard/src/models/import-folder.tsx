import { Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type DragEvent, useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { importFolder } from '../../../openapi/folder-import.ts';
import { gateway } from '../api/gateway.ts';
import type { ModelImport } from '../api/schema.ts';
import { bytes } from '../format/number.ts';
import { useModels } from '../live/hooks.ts';
import { ProblemNote } from '../shell/problem.tsx';
import { chosenFolder, droppedFolder, type Folder } from './folder.ts';
import { ImportFiles } from './import-files.tsx';
import { isName, NameError, nameOf } from './import-name.ts';

type Going = { state: ModelImport; sending?: { name: string; sent: number } | undefined };

/** Brings a folder of the Hugging Face kind, file by file; what has come stays where it is stopped or cut off. */
export function ImportFolder({ onEnd }: { onEnd: () => void }) {
  const [folder, setFolder] = useState<Folder | null>(null);
  const [name, setName] = useState('');
  const [base, setBase] = useState<string | null>(null);
  const [going, setGoing] = useState<Going | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const picker = useRef<HTMLInputElement>(null);
  const stop = useRef(new AbortController());

  const isAdapter = folder?.files.some((file) => file.name === 'adapter_config.json') ?? false;
  const bases = (useModels() ?? []).filter((model) => model.architecture?.kind === 'causal_lm');

  const bring = useMutation({
    mutationFn: (chosen: Folder) => {
      stop.current = new AbortController();
      setGoing(null);
      return importFolder(
        gateway,
        { name, base: isAdapter ? (base ?? undefined) : undefined, files: chosen.files },
        { signal: stop.current.signal, told: (state, sending) => setGoing({ state, sending }) },
      );
    },
    onSuccess: async (ended) => {
      if (ended.model_id === null) return;
      await queries.invalidateQueries({ queryKey: ['models'] });
      onEnd();
      navigate(`/models/${ended.model_id}`);
    },
  });

  function take(found: Folder | null) {
    setFault(found ? null : 'Drop one folder: the one that config.json lies in.');
    if (!found) return;
    setFolder(found);
    setName(nameOf(found.name));
    setGoing(null);
    bring.reset();
  }

  async function drop(event: DragEvent) {
    event.preventDefault();
    if (!bring.isPending) take(await droppedFolder(event.dataTransfer.items));
  }

  const total = folder?.files.reduce((sum, file) => sum + file.bytes, 0) ?? 0;
  return (
    <Stack gap="md" onDragOver={(event) => event.preventDefault()} onDrop={drop} data-testid="drop-folder">
      <Text size="sm" c="dimmed">
        A model as Hugging Face publishes it: safetensors, config.json and tokenizer in one folder. Choose it
        or drop it here. Code and pickles in it are left out. A LoRA adapter of peft is merged onto its base.
      </Text>
      <Group gap="sm" wrap="nowrap">
        <input
          ref={picker}
          type="file"
          hidden
          multiple
          // Not in React's types: a folder is chosen, not files.
          {...{ webkitdirectory: '' }}
          onChange={(event) => event.currentTarget.files && take(chosenFolder(event.currentTarget.files))}
          data-testid="folder-input"
        />
        <Button
          variant="default"
          style={{ flex: 'none' }}
          onClick={() => picker.current?.click()}
          disabled={bring.isPending}
        >
          Choose a folder
        </Button>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {folder ? `${folder.name}: ${folder.files.length} files, ${bytes(total)}` : 'none chosen'}
        </Text>
      </Group>
      {fault && (
        <Text size="sm" c="red" role="alert">
          {fault}
        </Text>
      )}
      {folder && (
        <TextInput
          label="Name in the registry"
          description="letters, digits and . _ -; the same name again goes on where it stopped"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={isName(name) ? null : NameError}
          disabled={bring.isPending}
          maxLength={128}
        />
      )}
      {isAdapter && (
        <Select
          label="Base of the adapter"
          description="the model that it was trained on, and is merged onto"
          data={bases.map((model) => ({ value: model.id, label: model.name }))}
          value={base}
          onChange={setBase}
          disabled={bring.isPending}
          searchable
          nothingFoundMessage="No causal language model is registered: import the base first."
          data-testid="adapter-base"
        />
      )}
      {going && <ImportFiles state={going.state} sending={going.sending} />}
      {bring.isError && !stop.current.signal.aborted && <ProblemNote error={bring.error} />}
      {bring.data?.fault && (
        <Text size="sm" c="red" role="alert">
          {bring.data.fault.detail} {bring.data.fault.hint}
        </Text>
      )}
      <Group justify="flex-end" gap="sm">
        <Button
          variant="default"
          onClick={() => {
            if (bring.isPending) stop.current.abort();
            else onEnd();
          }}
        >
          {bring.isPending ? 'Stop' : 'Close'}
        </Button>
        <Button
          onClick={() => folder && bring.mutate(folder)}
          disabled={!folder || !isName(name) || (isAdapter && base === null) || bring.isPending}
          data-testid="confirm-folder"
        >
          {going && !bring.isPending ? 'Go on' : 'Import'}
        </Button>
      </Group>
    </Stack>
  );
}
