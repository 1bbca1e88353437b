import { Skeleton, Stack, VisuallyHidden } from '@mantine/core';

/** Holds the place of something that was asked for and says what. */
export function Waiting({ for: what, rows = 3 }: { for: string; rows?: number }) {
  return (
    <Stack gap={8} aria-busy="true">
      <VisuallyHidden role="status">Waiting for {what}</VisuallyHidden>
      {Array.from({ length: rows }, (_, row) => row).map((row) => (
        <Skeleton key={row} height={18} width={`${90 - row * 12}%`} animate={false} />
      ))}
    </Stack>
  );
}
