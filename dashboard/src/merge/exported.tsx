import { Button, CopyButton, Group, Text } from '@mantine/core';
import type { MergeForecast } from '../api/schema.ts';
import { ScrollFrame } from '../shell/scroll-frame.tsx';

/** The merge in mergekit's words, or why it has none. */
export function Exported({
  mergekit,
  not_expressible,
  onEdit,
}: Pick<MergeForecast, 'mergekit' | 'not_expressible'> & { onEdit?: (text: string) => void }) {
  if (mergekit === null) {
    return (
      <Text size="sm" c="dimmed" className="words">
        mergekit has no words for this merge: {not_expressible}
      </Text>
    );
  }
  return (
    <>
      <ScrollFrame label="YAML" style={{ overflow: 'auto', maxHeight: 300 }}>
        <pre style={{ fontSize: 12, margin: 0 }}>{mergekit}</pre>
      </ScrollFrame>
      <Group gap="xs" mt="sm">
        <CopyButton value={mergekit}>
          {({ copied, copy }) => (
            <Button size="xs" variant="default" onClick={copy}>
              {copied ? 'Copied' : 'Copy'}
            </Button>
          )}
        </CopyButton>
        {onEdit && (
          <Button size="xs" variant="default" onClick={() => onEdit(mergekit)}>
            Edit as YAML
          </Button>
        )}
      </Group>
    </>
  );
}
