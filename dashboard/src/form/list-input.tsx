import { TextInput } from '@mantine/core';
import { useState } from 'react';

interface ListInputProps {
  label: string;
  description: string;
  error: string | undefined;
  name: string;
  list: readonly unknown[];
  kind: keyof typeof NUMBERS | 'string';
  placeholder: string;
  onChange: (list: unknown[]) => void;
}

const NUMBERS = {
  integer: { pattern: /^\d+$/, name: 'whole number' },
  number: { pattern: /^(\d+\.?\d*|\.\d+)$/, name: 'number' },
};

/** A list written with commas. In a list of numbers, anything else is left out, and the form says so. */
export function ListInput({ description, error, list, kind, onChange, ...rest }: ListInputProps) {
  const [text, setText] = useState(list.join(', '));
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  const number = kind === 'string' ? null : NUMBERS[kind];
  const wrong = number ? parts.filter((part) => !number.pattern.test(part)) : [];
  return (
    <TextInput
      {...rest}
      description={`${description} · separated by commas`}
      error={error ?? (wrong.length > 0 ? `not a ${number?.name}: ${wrong.join(', ')}` : undefined)}
      value={text}
      onChange={(event) => {
        const next = event.currentTarget.value;
        setText(next);
        const items = next
          .split(',')
          .map((part) => part.trim())
          .filter(Boolean);
        onChange(number ? items.filter((part) => number.pattern.test(part)).map(Number) : items);
      }}
    />
  );
}
