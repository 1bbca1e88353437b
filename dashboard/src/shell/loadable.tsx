import { Alert, Button, Group, Text } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { type QueryClient, queryOptions, useQuery } from '@tanstack/react-query';
import { type ComponentType, type JSX, useEffect } from 'react';
import { useHealth } from '../live/hooks.ts';
import { Page } from './page.tsx';
import { Waiting } from './waiting.tsx';

interface Module<P> {
  default: ComponentType<P>;
}

/** A component whose code is fetched apart from the first paint's. */
export type Loadable<P> = ComponentType<P> & { fetch: (cache: QueryClient) => Promise<void> };

const RETRIES = 5;
const AGAIN_MS = 5000;

/**
 * Unlike `React.lazy`, which keeps a failure for ever, the code is asked for again: with growing pauses, then every few
 * seconds, and as soon as the connection changes. Chromium requests an address that failed before again; other engines
 * may remember the failure, and a newer build has other addresses: so a reload is offered in the end.
 *
 * @param name as a sentence names it: `the System page`
 * @param title of the page, where it is one
 */
export function loadable<P extends JSX.IntrinsicAttributes & object>(
  name: string,
  load: () => Promise<Module<P>>,
  title?: string,
): Loadable<P> {
  const code = queryOptions({
    queryKey: ['code', name],
    queryFn: load,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: Number.POSITIVE_INFINITY,
    // a module is no JSON
    structuralSharing: false,
    // "online" speaks of the internet; the gateway may be on this machine
    networkMode: 'always',
    retry: RETRIES,
    retryDelay: (failures) => Math.min(4000, 500 * 2 ** failures),
    refetchInterval: ({ state }) => (state.status === 'error' ? AGAIN_MS : false),
  });
  function Loaded(props: P) {
    const { data, isError, failureCount, refetch } = useQuery(code);
    const { kind } = useHealth();
    // biome-ignore lint/correctness/useExhaustiveDependencies: a connection that has changed is the reason to ask
    useEffect(() => {
      if (isError) void refetch();
    }, [kind]);
    if (data) return <data.default {...props} />;
    if (failureCount === 0 && !isError) return <Waiting for={name} />;
    const missing = <Missing name={name} tried={isError} onRetry={() => void refetch()} />;
    return title ? <Page title={title}>{missing}</Page> : missing;
  }
  return Object.assign(Loaded, { fetch: (cache: QueryClient) => cache.prefetchQuery(code) });
}

function Missing({ name, tried, onRetry }: { name: string; tried: boolean; onRetry: () => void }) {
  return (
    <Alert
      variant="outline"
      color="red"
      icon={<IconAlertTriangle size={18} />}
      title={tried ? `The gateway did not deliver ${name}` : `The gateway has not delivered ${name} yet`}
      role="alert"
      styles={{ title: { color: 'var(--bad)' }, icon: { color: 'var(--bad)' } }}
      data-testid="missing-code"
    >
      <Text size="sm">
        The browser asks again by itself, and the page appears as soon as the gateway answers.
        {tried && ' If the gateway was updated in the meantime, reload to fetch the new version.'}
      </Text>
      {tried && (
        <Group gap="xs" mt="sm">
          <Button size="compact-sm" variant="default" onClick={onRetry}>
            Try again
          </Button>
          <Button size="compact-sm" variant="default" onClick={() => window.location.reload()}>
            Reload
          </Button>
        </Group>
      )}
    </Alert>
  );
}
