import { lazy, Suspense } from 'react';
import { Route, Switch } from 'wouter';
import { useHealth } from './live/hooks.ts';
import { OverviewPage } from './overview/overview-page.tsx';
import { TokenPage } from './session/token-page.tsx';
import { Fault } from './shell/fault.tsx';
import { NotFound } from './shell/not-found.tsx';
import { Shell } from './shell/shell.tsx';
import { Waiting } from './shell/waiting.tsx';

const CognatePage = lazy(() => import('./cognate/cognate-page.tsx'));
const CognateRunPage = lazy(() => import('./cognate/cognate-run-page.tsx'));
const EvoMergePage = lazy(() => import('./evomerge/evomerge-page.tsx'));
const EvoMergeRunPage = lazy(() => import('./evomerge/evomerge-run-page.tsx'));
const RunsPage = lazy(() => import('./runs/runs-page.tsx'));
const RunPage = lazy(() => import('./runs/run-page.tsx'));
const ModelsPage = lazy(() => import('./models/models-page.tsx'));
const ModelPage = lazy(() => import('./models/model-page.tsx'));
const SystemPage = lazy(() => import('./system/system-page.tsx'));

export function App() {
  if (useHealth().kind === 'refused') return <TokenPage refused />;
  return (
    <Shell>
      <Fault>
        <Suspense fallback={<Waiting for="the page" />}>
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
        </Suspense>
      </Fault>
    </Shell>
  );
}
