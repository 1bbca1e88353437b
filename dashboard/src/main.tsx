import { localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { authorize, problemIn } from './api/gateway.ts';
import { App } from './app.tsx';
import { LiveContext } from './live/hooks.ts';
import { createLive } from './live/live.ts';
import './mantine.css';
import { adoptToken } from './session/token.ts';
import { TokenPage } from './session/token-page.tsx';
import { cssVariables, theme } from './theme.ts';
import './theme.css';

const cache = new QueryClient({
  defaultOptions: {
    queries: {
      // events tell what changed, so coming back to the tab is no reason to ask again
      refetchOnWindowFocus: false,
      staleTime: 10_000,
      retry: (failures, error) => problemIn(error).status >= 500 && failures < 3,
    },
  },
});

const token = adoptToken();
if (token) authorize(token);
const live = token ? createLive(token, cache) : null;

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');

createRoot(root).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      defaultColorScheme="auto"
      colorSchemeManager={localStorageColorSchemeManager({ key: 'agent-forge.color-scheme' })}
    >
      <QueryClientProvider client={cache}>
        {live ? (
          <LiveContext value={live}>
            <App />
          </LiveContext>
        ) : (
          <TokenPage refused={false} />
        )}
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
