import { createInterface } from 'node:readline/promises';

export type Choice = 'cancel' | 'leave';

/**
 * Ctrl-C asks whether to cancel; a second one, at any time, is the answer "leave". Without a terminal to answer on,
 * the first signal cancels: whoever sent it wants an end.
 * @param decided is called with the choice, once
 */
export function onInterrupt(
  terminal: NodeJS.ReadStream,
  ask: (question: string) => void,
  decided: (choice: Choice) => void,
) {
  let asked = false;
  let closed = false;
  const decide = (choice: Choice) => {
    if (!closed) decided(choice);
    closed = true;
  };
  const interrupted = () => {
    if (asked) return decide('leave');
    asked = true;
    if (!terminal.isTTY) return decide('cancel');
    ask('');
    const prompt = createInterface({ input: terminal, output: process.stderr });
    prompt.once('SIGINT', () => {
      prompt.close();
      decide('leave');
    });
    prompt.question('Cancel the run? [y/N, Ctrl-C leaves it as it is] ').then(
      (answer) => {
        prompt.close();
        if (/^y(es)?$/i.test(answer.trim())) decide('cancel');
        else asked = false;
      },
      () => decide('leave'),
    );
  };
  process.on('SIGINT', interrupted);
  process.on('SIGTERM', interrupted);
  return () => {
    closed = true;
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
  };
}
