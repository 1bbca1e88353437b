import { useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import { useHealth } from './live/hooks.ts';
import { OverviewPage } from './overview/overview-page.tsx';
import { TokenPage } from './session/token-page.tsx';
import { Fault } from './shell/fault.tsx';
import { whenIdle } from './shell/idle.ts';
import { loadable } from './shell/loadable.tsx';
import { NotFound } from './shell/not-found.tsx';
import { Shell } from './shell/shell.tsx';

const CognatePage = loadable('the Cognate page', () => import('./cognate/cognate-page.tsx'));
const CognateRunPage = loadable('the page of a Cognate run', () => import('./cognate/cognate-run-page.tsx'));
const EvoMergePage = loadable('the EvoMerge page', () => import('./evomerge/evomerge-page.tsx'));
const EvoMergeRunPage = loadable(
  'the page of an EvoMerge run',
  () => import('./evomerge/evomerge-run-page.tsx'),
);
const RunsPage = loadable('the Runs page', () => import('./runs/runs-page.tsx'));
const RunPage = loadable('the page of a run', () => import('./runs/run-page.tsx'));
const ModelsPage = loadable('the Models page', () => import('./models/models-page.tsx'));
const ModelPage = loadable('the page of a model', () => import('./models/model-page.tsx'));
const SystemPage = loadable('the System page', () => import('./system/system-page.tsx'));

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
