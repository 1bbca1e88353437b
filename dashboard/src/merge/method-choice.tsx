import { NativeSelect, Text } from '@mantine/core';
import type { MergeMethod } from '../api/schema.ts';
import { Coded } from '../shell/coded.tsx';

/** A merge method by its definition. */
export function MethodChoice({
  methods,
  method,
  onChange,
}: {
  methods: readonly MergeMethod[];
  method: MergeMethod;
  onChange: (name: string) => void;
}) {
  const named = (about: boolean) => methods.filter((one) => one.uses_base === about).map(({ name }) => name);
  return (
    <div>
      <NativeSelect
        label="Merge method"
        data={[
          { group: 'Of the models themselves', items: named(false) },
          { group: 'Of what they have learnt since the base', items: named(true) },
        ]}
        value={method.name}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
      <Text size="sm" mt={8} className="words">
        <Coded text={method.summary} />
      </Text>
      <Text size="xs" c="dimmed" mt={4} className="words">
        {method.source}
      </Text>
    </div>
  );
}
