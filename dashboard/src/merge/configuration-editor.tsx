import { Button, FileButton, Group, Text } from '@mantine/core';
import { type DragEvent, useId, useRef } from 'react';
import { Coded } from '../shell/coded.tsx';
import classes from './configuration-editor.module.css';
import type { Fault } from './configuration-fault.ts';

interface ConfigurationEditorProps {
  text: string;
  onChange: (text: string) => void;
  fault: Fault | null;
}

const LEAST_LINES = 14;
const EXAMPLE = `merge_method: ties
base_model: my-base
models:
  - model: my-first
    parameters: { weight: 0.6, density: 0.3 }
  - model: my-second
    parameters: { weight: 0.4, density: 0.3 }`;

/** A merge configuration as text, written, pasted or dropped; what is refused is marked at its line. */
export function ConfigurationEditor({ text, onChange, fault }: ConfigurationEditorProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const told = useId();
  const lines = Math.max(LEAST_LINES, text.split('\n').length);

  async function drop(event: DragEvent) {
    const [file] = event.dataTransfer.files;
    if (!file) return;
    event.preventDefault();
    onChange(await file.text());
  }

  function goTo(line: number) {
    const before = text.split('\n').slice(0, line - 1);
    const start = before.reduce((sum, one) => sum + one.length + 1, 0);
    area.current?.focus();
    area.current?.setSelectionRange(start, start + (text.split('\n')[line - 1]?.length ?? 0));
  }

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a file may also be chosen by the button
    <div onDragOver={(event) => event.preventDefault()} onDrop={drop}>
      <Group justify="space-between" gap="sm" mb={8}>
        <Text size="sm" c="dimmed">
          YAML as mergekit reads it. Models by name or id of the registry. A file can be dropped here.
        </Text>
        <FileButton
          accept=".yml,.yaml,text/plain"
          onChange={async (file) => file && onChange(await file.text())}
        >
          {(props) => (
            <Button {...props} size="xs" variant="default">
              Choose a file
            </Button>
          )}
        </FileButton>
      </Group>
      <div className={classes.frame} data-wrong={fault !== null || undefined}>
        <div className={classes.numbers} aria-hidden>
          {Array.from({ length: lines }, (_, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines are known by their number
            <span key={index} data-wrong={fault?.line === index + 1 || undefined}>
              {index + 1}
            </span>
          ))}
        </div>
        <div className={classes.text}>
          {fault && <div className={classes.band} style={{ top: (fault.line - 1) * 20 + 10 }} />}
          <textarea
            ref={area}
            aria-label="Merge configuration"
            aria-invalid={fault !== null}
            aria-describedby={fault ? told : undefined}
            value={text}
            rows={lines}
            placeholder={EXAMPLE}
            spellCheck={false}
            autoCapitalize="off"
            wrap="off"
            onChange={(event) => onChange(event.currentTarget.value)}
          />
        </div>
      </div>
      {fault && (
        <div id={told} role="alert" className={classes.fault} data-testid="configuration-fault">
          <button type="button" onClick={() => goTo(fault.line)}>
            Line {fault.line}
          </button>{' '}
          <Coded text={fault.message} />
        </div>
      )}
    </div>
  );
}
