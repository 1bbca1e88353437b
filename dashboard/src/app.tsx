import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import { useHealth } from './live/hooks.ts';
import { PAGES } from './pages.tsx';
import { TokenPage } from './session/token-page.tsx';
import { Fault } from './shell/error-boundary.tsx';
import { whenIdle } from './shell/idle.ts';
import { NotFound } from './shell/not-found.tsx';
import { Shell } from './shell/shell.tsx';

export function App() {
  const [path] = useLocation();
  const refused = useHealth().kind === 'refused';
  useEveryPage(!refused);
  if (refused) return <TokenPage refused />;
  return (
    <Shell>
      {/* keyed by path, so that an error on one page does not outlive it */}
      <Fault key={path}>
        <Switch>
          {PAGES.map(({ path, page }) => (
            <Route key={path} path={path} component={page} />
          ))}
          {PAGES.map(
            ({ path, item: Item }) =>
              Item && (
                <Route key={path} path={`${path}/:id`}>
                  {({ id }) => <Item id={id} key={id} />}
                </Route>
              ),
          )}
          <Route component={NotFound} />
        </Switch>
      </Fault>
    </Shell>
  );
}

/** Fetches the code of every page once the first one is shown, so that a gateway that goes away takes no page with it. */
function useEveryPage(allowed: boolean) {
  const cache = useQueryClient();
  useEffect(() => {
    if (!allowed) return;
    return whenIdle(async () => {
      for (const { page, item } of PAGES) {
        if ('fetch' in page) await page.fetch(cache);
        await item?.fetch(cache);
      }
    });
  }, [allowed, cache]);
}
