/** What this repository uses of the Dockerfile format, as its reference has it: stages, and instructions in order. */

export type Instruction =
  | { name: 'COPY'; from: string | undefined; sources: string[]; destination: string }
  | { name: 'RUN'; command: string }
  | { name: 'ENV'; values: [name: string, value: string][] }
  | { name: 'ARG'; values: [name: string, value: string][] }
  | { name: 'WORKDIR' | 'USER' | 'VOLUME' | 'EXPOSE'; value: string }
  | { name: 'CMD' | 'HEALTHCHECK'; command: string[] };

export type Stage = { name: string; base: string; instructions: Instruction[] };

/** Throws where a line is none of what is listed above. */
export function parseDockerfile(text: string): Stage[] {
  const stages: Stage[] = [];
  for (const line of logicalLines(text)) {
    const [, word = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (word === 'FROM') {
      const [base = '', , name = String(stages.length)] = rest.split(/\s+/);
      stages.push({ name, base, instructions: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (!stage) throw new Error(`before FROM: ${line}`);
    stage.instructions.push(parseInstruction(word, rest));
  }
  return stages;
}

function parseInstruction(word: string, rest: string): Instruction {
  const flags = /^(?:--\S+\s+)*/.exec(rest)?.[0] ?? '';
  const body = rest.slice(flags.length);
  switch (word) {
    case 'COPY': {
      const words = body.split(/\s+/);
      const destination = words.pop() ?? '';
      return { name: word, from: /--from=(\S+)/.exec(flags)?.[1], sources: words, destination };
    }
    case 'RUN':
      return { name: word, command: body };
    case 'ENV':
    case 'ARG':
      return {
        name: word,
        values: body.split(/\s+/).map((pair) => {
          const at = pair.indexOf('=');
          return [pair.slice(0, at), pair.slice(at + 1)];
        }),
      };
    case 'WORKDIR':
    case 'USER':
    case 'VOLUME':
    case 'EXPOSE':
      return { name: word, value: body };
    case 'CMD':
      return { name: word, command: JSON.parse(body) as string[] };
    case 'HEALTHCHECK':
      return { name: word, command: JSON.parse(body.replace(/^CMD\s+/, '')) as string[] };
    default:
      throw new Error(`no instruction that is known here: ${word} ${rest}`);
  }
}

function logicalLines(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
}
