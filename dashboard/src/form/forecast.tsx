import { Text } from '@mantine/core';
import type { OnNodes, Resources, SecondsFrom } from '../api/schema.ts';
import { bytes } from '../format/number.ts';
import { roughly } from '../format/time.ts';
import { Fact } from '../shell/fact.tsx';

interface ResourceFactsProps {
  seconds: number | null;
  from: SecondsFrom;
  /** The same on a cluster. */
  onNodes: OnNodes;
  resources: Resources;
}

/** What an estimate of time rests on. */
const BASES: Record<NonNullable<SecondsFrom>, string> = {
  runs: 'estimate, from runs timed here',
  machine: 'rough estimate: no such run was timed here yet',
};

/** Time, disk and memory that a plan needs, beside what this machine has. */
export function ResourceFacts({ seconds, from, onNodes, resources }: ResourceFactsProps) {
  const { disk_needed, disk_free, memory_needed, memory_free } = resources;
  return (
    <>
      <Fact label="Time" note={from === null ? 'this machine was not measured yet' : BASES[from]}>
        {seconds === null ? 'not known yet' : `≈ ${roughly(seconds)}`}
      </Fact>
      {onNodes.length > 0 && (
        <Fact label="On a cluster" note="of machines like this one, with the executor `ray`">
          {onNodes
            .filter(({ nodes }) => nodes > 1)
            .map((one) => `${one.nodes} nodes ≈ ${roughly(one.seconds)}`)
            .join(', ')}
        </Fact>
      )}
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
