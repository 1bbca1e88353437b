import { Button, Group, Modal, Stack, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconTrash } from '@tabler/icons-react';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { gateway } from '../api/gateway.ts';
import type { ModelDetail } from '../api/schema.ts';
import { bytes } from '../format/number.ts';
import { useHealth } from '../live/hooks.ts';
import { ProblemNote } from '../shell/problem.tsx';

/** Deletes a model after a second look; a model that others descend from stays, and the backend says which. */
export function DeleteModel({ model }: { model: ModelDetail }) {
  const [opened, { open, close }] = useDisclosure(false);
  const [, navigate] = useLocation();
  const queries = useQueryClient();
  const away = useHealth().kind !== 'live';
  const remove = useMutation({
    mutationFn: () => gateway.delete('/api/v1/models/{model_id}', { path: { model_id: model.id } }),
    onSuccess: async () => {
      navigate('/models');
      queries.removeQueries({ queryKey: ['model', model.id] });
      await queries.invalidateQueries({ queryKey: ['models'] });
    },
  });
  return (
    <>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconTrash size={15} />}
        onClick={() => {
          remove.reset();
          open();
        }}
        disabled={away}
        data-testid="delete-model"
      >
        Delete
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        title="Delete this model?"
        closeButtonProps={{ 'aria-label': 'Close' }}
        centered
      >
        <Stack gap="md">
          <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
            <b>{model.name}</b> leaves the registry, and its {bytes(model.bytes)} on disk are freed. This
            cannot be undone. A model that another one descends from cannot be deleted: the proof of that one
            needs it.
          </Text>
          {remove.isError && <ProblemNote error={remove.error} />}
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={close} data-autofocus>
              Keep it
            </Button>
            <Button
              color="red.9"
              onClick={() => remove.mutate()}
              disabled={remove.isPending}
              data-testid="confirm-delete"
            >
              {remove.isPending ? 'Deleting…' : 'Delete'}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
