/** What can be said of the Dockerfiles and of compose.yaml without building: each names what is there. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { settings } from '../../gateway/src/config.js';
import { root } from '../../gateway/src/root.js';
import { contextFiles } from './context.js';
import { type Instruction, parseDockerfile } from './dockerfile.js';

type Service = {
  build?: { context: string; dockerfile: string; args?: Record<string, string> };
  environment: Record<string, string>;
  volumes: string[];
  networks: string[];
  ports?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: object;
  restart: string;
  init?: boolean;
  read_only?: boolean;
  tmpfs?: string[];
  cap_drop?: string[];
  security_opt: string[];
  logging: { options: Record<string, string> };
};
type Compose = {
  services: Record<string, Service>;
  networks: Record<string, { internal?: boolean } | null>;
  volumes: Record<string, null>;
};

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const stagesOf = (dockerfile: string) => parseDockerfile(read(dockerfile));
const files = contextFiles();
const compose = parse(read('docker/compose.yaml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const own = services.flatMap(([name, service]) =>
  service.build ? [[name, service, service.build.dockerfile] as const] : [],
);
const of = <N extends Instruction['name']>(instructions: Instruction[], name: N) =>
  instructions.filter((each): each is Extract<Instruction, { name: N }> => each.name === name);

describe.each(['docker/gateway.Dockerfile', 'docker/backend.Dockerfile'])('%s', (dockerfile) => {
  const stages = stagesOf(dockerfile);
  const [build, last] = stages;
  if (!build || !last) throw new Error(`${dockerfile} has two stages`);

  test('copies what the context holds', () => {
    const sources = stages.flatMap(({ instructions }) =>
      of(instructions, 'COPY').flatMap(({ from, sources: named }) => (from === undefined ? named : [])),
    );
    expect(sources.length).toBeGreaterThan(2);
    const missing = sources.filter(
      (source) => !files.some((file) => file === source || file.startsWith(`${source}/`)),
    );
    expect(missing).toEqual([]);
  });

  test('is built by a script alone, and takes from it what that one makes', () => {
    const scripts = of(build.instructions, 'RUN').map(({ command }) => command.split(' '));
    expect(scripts).toEqual([['sh', expect.stringMatching(/^docker\/build-\w+\.sh$/), '/source', '/app']]);
    const copied = of(last.instructions, 'COPY').map(({ from, sources }) => [from, ...sources]);
    expect(copied).toEqual([[build.name, '/app']]);
  });

  test('runs as a user without rights, says whether it is healthy, and keeps data in a volume', () => {
    expect(of(last.instructions, 'USER').map(({ value }) => value)).toEqual([
      expect.stringMatching(/^(?!root)/),
    ]);
    expect(of(last.instructions, 'HEALTHCHECK')).toHaveLength(1);
    expect(of(last.instructions, 'VOLUME').map(({ value }) => value)).toEqual(['/data']);
    expect(last.base.split(':')[0]).toBe(build.base.split(':')[0]);
  });
});

test('no file of a developer reaches an image', () => {
  expect(
    files.filter((file) => /(^|\/)(\.env|\.git|node_modules|dist|\.venv|\.data)(\/|$)/.test(file)),
  ).toEqual([]);
});

describe('compose.yaml', () => {
  test.each(own)('%s is built from a Dockerfile with arguments that it knows', (_, service, dockerfile) => {
    const known = stagesOf(dockerfile).flatMap(({ instructions }) =>
      of(instructions, 'ARG').flatMap(({ values }) => values.map(([name]) => name)),
    );
    expect(service.build?.context).toBe('..');
    expect(known).toEqual(expect.arrayContaining(Object.keys(service.build?.args ?? {})));
  });

  test.each(
    own,
  )('%s has an unwritable root, no capability, and writes in volumes of its image', (_, service, dockerfile) => {
    expect(service).toMatchObject({
      read_only: true,
      tmpfs: ['/tmp'],
      cap_drop: ['ALL'],
      init: true,
    });
    const last = stagesOf(dockerfile).at(-1)?.instructions ?? [];
    expect(service.volumes.map((volume) => volume.split(':')[1])).toEqual(
      of(last, 'VOLUME').map(({ value }) => value),
    );
  });

  test.each(services)('%s comes back, gains no rights, keeps its logs small', (_, service) => {
    expect(service).toMatchObject({
      restart: 'unless-stopped',
      security_opt: ['no-new-privileges:true'],
      logging: { options: { 'max-size': expect.any(String), 'max-file': expect.any(String) } },
    });
    for (const volume of service.volumes) expect(compose.volumes).toHaveProperty(volume.split(':')[0] ?? '');
    for (const network of service.networks) expect(compose.networks).toHaveProperty(network);
  });

  test('waits only for what says whether it is healthy', () => {
    const waited = services.flatMap(([, service]) => Object.entries(service.depends_on ?? {}));
    expect(waited.length).toBeGreaterThan(0);
    for (const [name, { condition }] of waited) {
      const service = compose.services[name];
      const checked = service?.build
        ? of(stagesOf(service.build.dockerfile).at(-1)?.instructions ?? [], 'HEALTHCHECK').length > 0
        : service?.healthcheck !== undefined;
      expect([name, condition, checked]).toEqual([name, 'service_healthy', true]);
    }
  });

  test('only the gateway is reached from outside, and only from this machine', () => {
    for (const [name, service] of services) {
      const inside = service.networks.every((network) => compose.networks[network]?.internal === true);
      expect([name, inside, service.ports ?? []]).toEqual(
        name === 'gateway' ? [name, false, ['127.0.0.1:4400:4400']] : [name, true, []],
      );
    }
  });

  test('gives settings that exist, and no secret a value', () => {
    const program = 'from agent_forge.settings import Settings; print(*Settings.model_fields)';
    const fields = execFileSync(join(root, '.venv/bin/python'), ['-c', program], { encoding: 'utf8' });
    const known = {
      gateway: settings.map(({ name }) => name),
      backend: fields
        .trim()
        .split(' ')
        .map((field) => `AGENT_FORGE_${field.toUpperCase()}`),
    };
    for (const name of ['gateway', 'backend'] as const)
      expect(known[name]).toEqual(
        expect.arrayContaining(Object.keys(compose.services[name]?.environment ?? {})),
      );
    for (const [, { environment }] of services)
      for (const [name, value] of Object.entries(environment))
        if (/TOKEN|PASSWORD|DATABASE_URL/.test(name)) expect(value).toMatch(/\$\{\w+:\?needed\}/);
  });
});
