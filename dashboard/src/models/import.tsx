import { Button, FileButton, Group, Modal, Progress, Stack, Tabs, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconUpload } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useRef, useState } from 'react';
import { useLocation } from 'wouter';
import { normalise } from '../../../openapi/client.ts';
import { gateway } from '../api/gateway.ts';
import type { Model } from '../api/schema.ts';
import { bytes, percent } from '../format/number.ts';
import { useHealth } from '../live/hooks.ts';
import { ProblemNote } from '../shell/problem.tsx';
import { ImportFolder } from './import-folder.tsx';
import { isName, NameError, nameOf } from './import-name.ts';

/** Brings a safetensors file into the registry; the browser streams it, the page holds none of it. */
export function ImportModel() {
  const [opened, { open, close }] = useDisclosure(false);
  const away = useHealth().kind !== 'live';
  return (
    <>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconUpload size={15} />}
        onClick={open}
        disabled={away}
        data-testid="import-model"
      >
        Import
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        title="Import a model"
        size="lg"
        closeButtonProps={{ 'aria-label': 'Close' }}
        centered
      >
        <Tabs defaultValue="folder" keepMounted={false} color="ember">
          <Tabs.List mb="md" aria-label="What is imported">
            <Tabs.Tab value="folder">Folder</Tabs.Tab>
            <Tabs.Tab value="file">Single file</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="folder">
            <ImportFolder onEnd={close} />
          </Tabs.Panel>
          <Tabs.Panel value="file">
            <ImportForm onEnd={close} />
          </Tabs.Panel>
        </Tabs>
      </Modal>
    </>
  );
}

function ImportForm({ onEnd }: { onEnd: () => void }) {
  const [file, setFile] = useState<File | null>(null);
  const [name, setName] = useState('');
  const [sent, setSent] = useState(0);
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const stop = useRef(new AbortController());
  const upload = useMutation({
    mutationFn: async (chosen: File) => {
      stop.current = new AbortController();
      setSent(0);
      try {
        const { data } = await gateway.axios.post<Model>('/api/v1/models/import', chosen, {
          params: { name },
          headers: { 'Content-Type': 'application/octet-stream' },
          timeout: 0,
          signal: stop.current.signal,
          onUploadProgress: ({ loaded }) => setSent(loaded),
        });
        return data;
      } catch (error) {
        throw normalise(error);
      }
    },
    onSuccess: async (model) => {
      await queries.invalidateQueries({ queryKey: ['models'] });
      onEnd();
      navigate(`/models/${model.id}`);
    },
  });
  const size = file?.size ?? 0;
  const whole = upload.isPending && sent >= size;
  return (
    <Stack gap="md">
      <Text size="sm" c="dimmed">
        A safetensors file. Its tensors are checked and its digest is taken; nothing in it is ever run.
      </Text>
      <Group gap="sm" wrap="nowrap">
        <FileButton
          onChange={(chosen) => {
            if (!chosen) return;
            setFile(chosen);
            setName(nameOf(chosen.name));
            upload.reset();
          }}
          accept=".safetensors"
          disabled={upload.isPending}
        >
          {(props) => (
            <Button {...props} variant="default" style={{ flex: 'none' }}>
              Choose a file
            </Button>
          )}
        </FileButton>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {file ? `${file.name}, ${bytes(size)}` : 'none chosen'}
        </Text>
      </Group>
      {file && (
        <TextInput
          label="Name in the registry"
          description="letters, digits and . _ -"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={isName(name) ? null : NameError}
          disabled={upload.isPending}
          maxLength={128}
        />
      )}
      {upload.isPending && (
        <div role="status">
          <Text size="sm" c="dimmed" mb={4}>
            {whole
              ? 'Sent. The backend checks the tensors…'
              : `${bytes(sent)} of ${bytes(size)} · ${percent(size > 0 ? sent / size : 0)}`}
          </Text>
          <Progress.Root size={8} radius="xl">
            <Progress.Section
              value={size > 0 ? (sent / size) * 100 : 0}
              color="ember"
              aria-label="Progress of the upload"
            />
          </Progress.Root>
        </div>
      )}
      {upload.isError && <ProblemNote error={upload.error} />}
      <Group justify="flex-end" gap="sm">
        <Button
          variant="default"
          onClick={() => {
            if (upload.isPending) stop.current.abort();
            else onEnd();
          }}
        >
          {upload.isPending ? 'Stop' : 'Close'}
        </Button>
        <Button
          onClick={() => file && upload.mutate(file)}
          disabled={!file || !isName(name) || upload.isPending}
          data-testid="confirm-import"
        >
          Import
        </Button>
      </Group>
    </Stack>
  );
}
