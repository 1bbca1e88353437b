import {
  type Icon,
  IconBinaryTree,
  IconBox,
  IconDna2,
  IconFlame,
  IconGitMerge,
  IconListDetails,
  IconServer2,
} from '@tabler/icons-react';
import type { ComponentType, JSX } from 'react';
import { OverviewPage } from './overview/overview-page.tsx';
import { type Loadable, loadable } from './shell/loadable.tsx';

interface PageEntry {
  path: string;
  label: string;
  icon: Icon;
  /** Loadable, but for the overview: its code belongs to the first paint. */
  page: Loadable<object> | ComponentType;
  /** Shows one item of the page's list, at `path/:id`. */
  item?: Loadable<{ id: string }>;
}

const page = <P extends JSX.IntrinsicAttributes & object>(
  title: string,
  load: () => Promise<{ default: ComponentType<P> }>,
) => loadable(`the page “${title}”`, load, title);

/** Every page, in the order of the menu. */
export const PAGES: readonly PageEntry[] = [
  { path: '/', label: 'Overview', icon: IconFlame, page: OverviewPage },
  {
    path: '/cognate',
    label: 'Cognate',
    icon: IconDna2,
    page: page('Cognate', () => import('./cognate/cognate-page.tsx')),
    item: page('Cognate run', () => import('./cognate/cognate-run-page.tsx')),
  },
  {
    path: '/merge',
    label: 'Merge',
    icon: IconGitMerge,
    page: page('Merge', () => import('./merge/merge-page.tsx')),
    item: page('Merge run', () => import('./merge/merge-run-page.tsx')),
  },
  {
    path: '/evomerge',
    label: 'EvoMerge',
    icon: IconBinaryTree,
    page: page('EvoMerge', () => import('./evomerge/evomerge-page.tsx')),
    item: page('EvoMerge run', () => import('./evomerge/evomerge-run-page.tsx')),
  },
  {
    path: '/runs',
    label: 'Runs',
    icon: IconListDetails,
    page: page('Runs', () => import('./runs/runs-page.tsx')),
    item: page('Run', () => import('./runs/run-page.tsx')),
  },
  {
    path: '/models',
    label: 'Models',
    icon: IconBox,
    page: page('Models', () => import('./models/models-page.tsx')),
    item: page('Model', () => import('./models/model-page.tsx')),
  },
  {
    path: '/system',
    label: 'System',
    icon: IconServer2,
    page: page('System', () => import('./system/system-page.tsx')),
  },
];
