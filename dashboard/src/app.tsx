import { useQueryClient } from '@tanstack/react-query';
import { type ComponentType, type JSX, useEffect } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import { useHealth } from './live/hooks.ts';
import { OverviewPage } from './overview/overview-page.tsx';
import { TokenPage } from './session/token-page.tsx';
import { Fault } from './shell/error-boundary.tsx';
import { whenIdle } from './shell/idle.ts';
import { loadable } from './shell/loadable.tsx';
import { NotFound } from './shell/not-found.tsx';
import { Shell } from './shell/shell.tsx';

const page = <P extends JSX.IntrinsicAttributes & object>(
  title: string,
  load: () => Promise<{ default: ComponentType<P> }>,
) => loadable(`the page “${title}”`, load, title);

const CognatePage = page('Cognate', () => import('./cognate/cognate-page.tsx'));
const CognateRunPage = page('Cognate run', () => import('./cognate/cognate-run-page.tsx'));
const EvoMergePage = page('EvoMerge', () => import('./evomerge/evomerge-page.tsx'));
const EvoMergeRunPage = page('EvoMerge run', () => import('./evomerge/evomerge-run-page.tsx'));
const RunsPage = page('Runs', () => import('./runs/runs-page.tsx'));
const RunPage = page('Run', () => import('./runs/run-page.tsx'));
const ModelsPage = page('Models', () => import('./models/models-page.tsx'));
const ModelPage = page('Model', () => import('./models/model-page.tsx'));
const SystemPage = page('System', () => import('./system/system-page.tsx'));

/** Fetched in this order once the first page stands, so that a gateway that goes away takes no page with it. */
const PAGES = [
  EvoMergeRunPage,
  CognateRunPage,
  RunsPage,
  RunPage,
  ModelsPage,
  ModelPage,
  SystemPage,
  CognatePage,
  EvoMergePage,
];

export function App() {
  const [path] = useLocation();
  const refused = useHealth().kind === 'refused';
  useEveryPage(!refused);
  if (refused) return <TokenPage refused />;
  return (
    <Shell>
      {/* one for each path: what fails on one page is over on the next */}
      <Fault key={path}>
        <Switch>
          <Route path="/" component={OverviewPage} />
          <Route path="/cognate" component={CognatePage} />
          <Route path="/cognate/:id">{({ id }) => <CognateRunPage id={id} key={id} />}</Route>
          <Route path="/evomerge" component={EvoMergePage} />
          <Route path="/evomerge/:id">{({ id }) => <EvoMergeRunPage id={id} key={id} />}</Route>
          <Route path="/runs" component={RunsPage} />
          <Route path="/runs/:id">{({ id }) => <RunPage id={id} key={id} />}</Route>
          <Route path="/models" component={ModelsPage} />
          <Route path="/models/:id">{({ id }) => <ModelPage id={id} key={id} />}</Route>
          <Route path="/system" component={SystemPage} />
          <Route component={NotFound} />
        </Switch>
      </Fault>
    </Shell>
  );
}

function useEveryPage(allowed: boolean) {
  const cache = useQueryClient();
  useEffect(() => {
    if (!allowed) return;
    return whenIdle(async () => {
      for (const page of PAGES) await page.fetch(cache);
    });
  }, [allowed, cache]);
}
