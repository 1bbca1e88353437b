import { Text } from '@mantine/core';
import type { Resources } from '../api/schema.ts';
import { bytes } from '../format/number.ts';
import { duration } from '../format/time.ts';
import { Fact } from '../shell/fact.tsx';

/** Time, disk and memory that a plan needs, beside what this machine has. */
export function ResourceFacts({ seconds, resources }: { seconds: number | null; resources: Resources }) {
  const { disk_needed, disk_free, memory_needed, memory_free } = resources;
  return (
    <>
      <Fact
        label="Time"
        note={seconds === null ? 'no rate measured on this machine yet' : 'from rates measured here'}
      >
        {seconds === null ? 'not known yet' : `≈ ${duration(seconds)}`}
      </Fact>
      <Fact label="Disk" note={`${bytes(disk_free)} free`} tone={disk_needed > disk_free ? 'bad' : undefined}>
        {bytes(disk_needed)}
      </Fact>
      <Fact
        label="Memory"
        note={`${bytes(memory_free)} free`}
        tone={memory_needed > memory_free ? 'bad' : undefined}
      >
        {bytes(memory_needed)}
      </Fact>
    </>
  );
}

/** Why a plan cannot be carried out on this machine; null where it can. */
export function shortage({ disk_needed, disk_free, memory_needed, memory_free }: Resources): string | null {
  if (disk_needed > disk_free) return `It needs ${bytes(disk_needed)} of disk; ${bytes(disk_free)} are free.`;
  if (memory_needed > memory_free)
    return `It needs ${bytes(memory_needed)} of memory; ${bytes(memory_free)} are free.`;
  return null;
}

export function Shortage({ resources }: { resources: Resources }) {
  const text = shortage(resources);
  return (
    text && (
      <Text c="var(--bad)" size="sm" role="alert">
        {text}
      </Text>
    )
  );
}
