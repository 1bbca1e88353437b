import { Link } from 'wouter';
import { useNow } from '../format/now.ts';
import { count } from '../format/number.ts';
import { ago, clock } from '../format/time.ts';
import type { Health } from '../live/health.ts';
import { useConnection, useHealth } from '../live/hooks.ts';
import classes from './shell.module.css';

const WORDS: Record<Health['kind'], string> = {
  connecting: 'Connecting',
  live: 'Live',
  backend_starting: 'Backend starting',
  backend_away: 'Backend not responding',
  gateway_away: 'Gateway not responding',
  refused: 'Refused',
};

/** Always visible: where the figures on the page come from, and whether they still come. */
export function ConnectionMark() {
  const { gateway } = useConnection();
  const health = useHealth();
  return (
    <Link href="/system" className={classes.pill} data-kind={health.kind} data-testid="connection">
      <span className={classes.dot} aria-hidden />
      <span className={classes.word}>{WORDS[health.kind]}</span>
      {health.kind === 'live' && gateway && (
        <span className={classes.detail}>event {count(gateway.mirror.seq)}</span>
      )}
      {'lastData' in health && health.lastData !== null && (
        <span className={classes.detail}>last data {clock(health.lastData)}</span>
      )}
    </Link>
  );
}

export function ConnectionBanner() {
  const health = useHealth();
  switch (health.kind) {
    case 'live':
    case 'connecting':
    case 'refused':
      return null;
    case 'backend_starting':
      return <Banner kind={health.kind} title="The backend is starting." lastData={health.lastData} />;
    case 'backend_away':
      return (
        <Banner
          kind={health.kind}
          title="Backend not responding."
          text="Figures stand still until it answers again; nothing is estimated. Runs go on from their last checkpoint."
          lastData={health.lastData}
        />
      );
    case 'gateway_away':
      return (
        <Banner
          kind={health.kind}
          title="Gateway not responding."
          text="The page asks again by itself and then catches up on every event that it missed."
          lastData={health.lastData}
        />
      );
    default:
      health satisfies never;
      return null;
  }
}

interface BannerProps {
  kind: Health['kind'];
  title: string;
  text?: string;
  lastData: string | number | null;
}

function Banner({ kind, title, text, lastData }: BannerProps) {
  const now = useNow();
  return (
    <div className={classes.banner} role="status" data-kind={kind} data-testid="connection-banner">
      <strong>{title}</strong>
      {lastData !== null && (
        <span>
          Last data {clock(lastData)}
          <span aria-hidden> ({ago(lastData, now)})</span>
        </span>
      )}
      {text && <span>{text}</span>}
    </div>
  );
}
