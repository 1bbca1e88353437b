import { Button, Group, Stack, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { gateway } from '../api/gateway.ts';
import type { ModelDetail } from '../api/schema.ts';
import { count } from '../format/number.ts';
import { ProblemNote } from '../shell/problem.tsx';

const FORMATS = ['safetensors', 'pt', 'zip'] as const;
/** A .pt file of a large model is made before its ticket is issued. */
const TIMEOUT_MS = 10 * 60_000;

export function Downloads({ model }: { model: ModelDetail }) {
  return (
    <Stack gap="sm">
      {model.files.map((file) => (
        <div key={file.path}>
          <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
            {file.path}
          </Text>
          <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
            {count(file.bytes)} bytes · SHA-256 {file.file_sha256}
          </Text>
        </div>
      ))}
      <Group gap="sm" align="flex-start">
        {FORMATS.filter((format) => isThere(model, format)).map((format) => (
          <Download key={format} model={model} format={format} />
        ))}
      </Group>
    </Stack>
  );
}

/** Of several files of weights none is the model; a zip is of a folder. */
function isThere({ files, folder }: ModelDetail, format: (typeof FORMATS)[number]): boolean {
  if (format === 'zip') return folder !== null;
  return format === 'pt' || files.filter((file) => file.format === 'safetensors').length === 1;
}

/** The browser streams to disk only what it fetches by an address, and no address may hold the token: hence a ticket. */
function Download({ model, format }: { model: ModelDetail; format: (typeof FORMATS)[number] }) {
  const download = useMutation({
    mutationFn: async () => {
      const { path } = await gateway.post('/api/v1/models/{model_id}/download-tickets', {
        path: { model_id: model.id },
        query: { format },
        timeout: TIMEOUT_MS,
      });
      const link = document.createElement('a');
      link.href = path;
      link.download = `${model.name}.${format}`;
      link.click();
    },
  });
  return (
    <div>
      <Button
        variant="default"
        leftSection={<IconDownload size={16} />}
        onClick={() => download.mutate()}
        disabled={download.isPending}
      >
        {download.isPending ? 'Preparing the file…' : `Download .${format}`}
      </Button>
      {download.isSuccess && (
        <Text size="xs" c="dimmed" mt={4} role="status">
          Handed to the browser’s downloads.
        </Text>
      )}
      {download.isError && <ProblemNote error={download.error} />}
    </div>
  );
}
