import { Button, Group, Stack, Text } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { gateway } from '../api/gateway.ts';
import type { ModelDetail } from '../api/schema.ts';
import { bytes, count } from '../format/number.ts';
import { ProblemNote } from '../shell/problem.tsx';

const FORMATS = ['safetensors', 'pt'] as const;

/** The token travels in a header, never in an address: so the page fetches the file and hands it over. */
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
      <Group gap="sm">
        {FORMATS.map((format) => (
          <Download key={format} model={model} format={format} />
        ))}
      </Group>
    </Stack>
  );
}

function Download({ model, format }: { model: ModelDetail; format: (typeof FORMATS)[number] }) {
  const [received, setReceived] = useState(0);
  const download = useMutation({
    mutationFn: async () => {
      setReceived(0);
      const { data } = await gateway.axios.get<Blob>(
        `/api/v1/models/${encodeURIComponent(model.id)}/download?format=${format}`,
        { responseType: 'blob', timeout: 0, onDownloadProgress: ({ loaded }) => setReceived(loaded) },
      );
      const address = URL.createObjectURL(data);
      const link = document.createElement('a');
      link.href = address;
      link.download = `${model.name}.${format}`;
      link.click();
      URL.revokeObjectURL(address);
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
        {download.isPending ? `${bytes(received)} received` : `Download .${format}`}
      </Button>
      {download.isError && <ProblemNote error={download.error} />}
    </div>
  );
}
