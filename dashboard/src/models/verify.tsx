import { Button, Group, Stack, Table, Text } from '@mantine/core';
import { IconShieldCheck } from '@tabler/icons-react';
import { useMutation } from '@tanstack/react-query';
import { gateway } from '../api/gateway.ts';
import type { Verification } from '../api/schema.ts';
import { clock, duration } from '../format/time.ts';
import { Mark, type Tone } from '../shell/mark.tsx';
import { ProblemNote } from '../shell/problem.tsx';
import { Wide } from '../shell/scroll-frame.tsx';

/** Rebuilding a model of 58 million parameters takes many seconds; a deep recipe many more. */
const TIMEOUT_MS = 15 * 60_000;

interface Subject {
  kind: 'model' | 'candidate';
  id: string;
  /** Whether it was trained, so that training it again can prove it. */
  trained?: boolean;
}

function useVerify({ kind, id }: Subject) {
  return useMutation({
    mutationFn: ({ replay = false }: { replay?: boolean } = {}) =>
      kind === 'model'
        ? gateway.post('/api/v1/models/{model_id}/verify', {
            path: { model_id: id },
            body: { rebuild: true, replay },
            timeout: TIMEOUT_MS,
          })
        : gateway.post('/api/v1/candidates/{candidate_id}/verify', {
            path: { candidate_id: id },
            timeout: TIMEOUT_MS,
          }),
  });
}

/** "Is it real?": asks the backend to prove it, then lists each check with what was expected and found. */
export function Verify({ kind, id, trained = false }: Subject) {
  const verify = useVerify({ kind, id });
  return (
    <Stack gap="sm">
      <Group gap="sm">
        <Button
          leftSection={<IconShieldCheck size={17} />}
          variant="default"
          onClick={() => verify.mutate({})}
          disabled={verify.isPending}
        >
          {verify.isPending ? 'Verifying…' : 'Verify'}
        </Button>
        {trained && (
          <Button
            variant="subtle"
            onClick={() => verify.mutate({ replay: true })}
            disabled={verify.isPending}
          >
            Verify by training again
          </Button>
        )}
        <Text size="sm" c="dimmed" maw={460}>
          {kind === 'model'
            ? `Hashes the file again, counts its parameters again, ${
                trained
                  ? 'and on request repeats its training, which takes as long as the first time.'
                  : 'rebuilds it from its recipe.'
              }`
            : 'Rebuilds it from its recipe and compares with the digest that was evaluated.'}
        </Text>
      </Group>
      {verify.isError && <ProblemNote error={verify.error} />}
      {verify.data && <VerificationTable verification={verify.data} />}
    </Stack>
  );
}

const NAMES = { file_digest: 'File digest', parameter_count: 'Parameter count', rebuild: 'Rebuild' } as const;
const TONES: Record<Verification['checks'][number]['status'], Tone> = {
  passed: 'good',
  failed: 'bad',
  skipped: 'idle',
};

function VerificationTable({ verification }: { verification: Verification }) {
  const { ok, checks, seconds, time } = verification;
  return (
    <div data-testid="verification" data-ok={ok}>
      <Group gap="xs" mb={6}>
        <Mark tone={ok ? 'good' : 'bad'}>{ok ? 'verified' : 'not what it claims to be'}</Mark>
        <Text size="sm" c="dimmed">
          {clock(time)}, took {duration(seconds)}
        </Text>
      </Group>
      <Wide label="Checks" min={320}>
        <Table>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Check</Table.Th>
              <Table.Th>Result</Table.Th>
              <Table.Th>Expected and found</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {checks.map(({ name, status, expected, found, detail }) => (
              <Table.Tr key={name} style={{ verticalAlign: 'top' }}>
                <Table.Td>{NAMES[name]}</Table.Td>
                <Table.Td>
                  <Mark tone={TONES[status]}>{status}</Mark>
                </Table.Td>
                <Table.Td>
                  {expected !== null && <Value text={expected} tone="var(--good)" label="expected" />}
                  {found !== null && (
                    <Value
                      text={found}
                      tone={found === expected ? 'var(--good)' : 'var(--bad)'}
                      label="found"
                    />
                  )}
                  <Text size="xs" c="dimmed">
                    {detail}
                  </Text>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Wide>
    </div>
  );
}

function Value({ text, tone, label }: { text: string; tone: string; label: string }) {
  return (
    <Text size="xs" ff="monospace" c={tone} style={{ overflowWrap: 'anywhere' }}>
      <span style={{ color: 'var(--mantine-color-dimmed)' }}>{label} </span>
      {text}
    </Text>
  );
}

export function VerifiedMark({ verified }: { verified: boolean | null }) {
  if (verified === null) return <Mark tone="idle">not checked yet</Mark>;
  return <Mark tone={verified ? 'good' : 'bad'}>{verified ? 'verified' : 'check failed'}</Mark>;
}
