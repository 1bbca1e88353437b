import { Button, Code, Stack, Text, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { Panel } from '../shell/panel.tsx';
import { storeToken } from './token.ts';

/** Shown where there is no token, or where the gateway refused the one that this browser holds. */
export function TokenPage({ refused }: { refused: boolean }) {
  const [token, setToken] = useState('');
  return (
    <main style={{ maxWidth: 480, margin: '12vh auto', padding: 16 }}>
      <Panel>
        <Stack
          component="form"
          onSubmit={(event) => {
            event.preventDefault();
            storeToken(token.trim());
            window.location.reload();
          }}
        >
          <Title order={1} size="h3">
            {refused ? 'The gateway refused this token' : 'This page needs its token'}
          </Title>
          <Text>
            {refused
              ? 'It may be from another start of the gateway, or from another data directory.'
              : 'Without it nothing can be read or started.'}{' '}
            Open the address that <Code>npm start</Code> printed (it ends in <Code>#token=…</Code>), or paste
            the token here. It is also in <Code>gateway.token</Code> in the data directory.
          </Text>
          <TextInput
            type="password"
            label="Token"
            value={token}
            onChange={(event) => setToken(event.currentTarget.value)}
            autoComplete="off"
            required
          />
          <Button type="submit" disabled={token.trim() === ''}>
            Continue
          </Button>
        </Stack>
      </Panel>
    </main>
  );
}
