import { Component, type ReactNode } from 'react';
import { ProblemNote } from './problem.tsx';

/** Keeps the rest of the page alive where one part of it fails, and says why. */
export class Fault extends Component<{ children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return <ProblemNote error={this.state.error} onRetry={() => this.setState({ error: null })} />;
  }
}
