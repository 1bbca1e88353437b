import type { CSSProperties, ReactNode, Ref, UIEventHandler } from 'react';

interface ScrollFrameProps {
  label: string;
  children: ReactNode;
  className?: string | undefined;
  style?: CSSProperties;
  ref?: Ref<HTMLElement>;
  onScroll?: UIEventHandler<HTMLElement>;
}

/** A frame whose content scrolls: named, and reachable by the keyboard. */
export function ScrollFrame({ label, children, ...rest }: ScrollFrameProps) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without it the arrow keys could not scroll the frame
    <section aria-label={label} tabIndex={0} {...rest}>
      {children}
    </section>
  );
}

/** Something wider than a phone scrolls inside its own frame instead of the page. */
export function Wide({ label, min, children }: { label: string; min: number; children: ReactNode }) {
  return (
    <ScrollFrame label={label} style={{ overflowX: 'auto' }}>
      <div style={{ minWidth: min }}>{children}</div>
    </ScrollFrame>
  );
}
