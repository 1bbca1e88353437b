import { TextInput } from '@mantine/core';
import { useState } from 'react';

interface ListInputProps {
  label: string;
  description: string;
  error: string | undefined;
  name: string;
  list: readonly unknown[];
  numeric: boolean;
  onChange: (list: unknown[]) => void;
}

/** A list written with commas. What is no number is left out of a list of numbers, and said. */
export function ListInput({ description, error, list, numeric, onChange, ...rest }: ListInputProps) {
  const [text, setText] = useState(list.join(', '));
  const parts = text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  const wrong = numeric ? parts.filter((part) => !/^\d+$/.test(part)) : [];
  return (
    <TextInput
      {...rest}
      description={`${description} · separated by commas`}
      error={error ?? (wrong.length > 0 ? `not a whole number: ${wrong.join(', ')}` : undefined)}
      value={text}
      onChange={(event) => {
        const next = event.currentTarget.value;
        setText(next);
        const items = next
          .split(',')
          .map((part) => part.trim())
          .filter(Boolean);
        onChange(numeric ? items.filter((part) => /^\d+$/.test(part)).map(Number) : items);
      }}
    />
  );
}
