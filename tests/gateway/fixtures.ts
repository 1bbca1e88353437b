/** The real gateway on a free port, in a data folder of its own. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Logger } from 'pino';
import { parseConfig } from '../../gateway/src/config.js';
import { forValidation, loadSpecification, resolve } from '../../gateway/src/edge/specification.js';
import { type Gateway, startGateway } from '../../gateway/src/gateway.js';
import { PYTHON, quiet, temporaryFolder } from '../backend/fixtures.js';

export type Answer = { status: number; headers: Headers; text: string; json: unknown };
export type Asked = {
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
  /** Null: none. */
  token?: string | null;
};

export type TestGateway = Gateway & {
  directory: string;
  ask(path: string, asked?: Asked): Promise<Answer>;
  /** Ends it, and keeps the folder where `keep` says so. */
  end(options?: { keep?: boolean }): Promise<void>;
};

export const specification = loadSpecification();

export async function testGateway(
  environment: Record<string, string> = {},
  directory?: string,
  log: Logger = quiet,
): Promise<TestGateway> {
  const folder = await temporaryFolder();
  const path = directory ?? folder.path;
  const config = parseConfig({ PORT: '0', DATA_DIR: path, PYTHON, ...environment });
  const gateway = await startGateway(config, log);
  return {
    ...gateway,
    directory: path,
    async ask(target, { method = 'GET', headers = {}, body, token = gateway.token } = {}) {
      const response = await fetch(gateway.url + target, {
        method,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined || typeof body === 'string' ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        redirect: 'manual',
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '') && text !== '';
      return {
        status: response.status,
        headers: response.headers,
        text,
        json: isJson ? JSON.parse(text) : undefined,
      };
    },
    async end({ keep = false } = {}) {
      await gateway.close();
      if (!keep) await folder.remove();
    },
  };
}

/** Environment for a backend that nobody runs: the port was free a moment ago. */
export async function nobody(): Promise<Record<string, string>> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return { BACKEND_URL: `http://127.0.0.1:${port}`, BACKEND_TOKEN: 'nobody-has-this-token' };
}

export type SpecifiedOperation = {
  id: string;
  method: string;
  path: string;
  open: boolean;
  responses: object;
};

/** Every operation of the specification. */
export const operations: SpecifiedOperation[] = Object.entries(specification.paths).flatMap(
  ([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: operation.operationId,
      method: method.toUpperCase(),
      path,
      open: operation.security?.length === 0,
      responses: operation.responses,
    })),
);

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema({ $id: 'spec', components: forValidation(specification).components });

/** What of an answer the specification does not allow; empty where all is well. */
export function undocumented(id: string, { status, headers, json }: Answer): string[] {
  const operation = operations.find((item) => item.id === id);
  const found = (operation?.responses as Record<string, object> | undefined)?.[String(status)];
  if (!found) return [`${id} answered ${status}, which is not documented`];
  const { content } = resolve(specification, found as Record<string, unknown>) as {
    content?: Record<string, { schema: object }>;
  };
  const type = headers.get('content-type')?.split(';')[0] ?? '';
  if (!content) return [];
  const media = content[type];
  if (!media) return [`${id} answered ${status} as ${type}`];
  if (!/[/+]json/.test(type)) return [];
  const validate = ajv.compile(absolute(media.schema));
  return validate(json) ? [] : [`${id} ${status}: ${ajv.errorsText(validate.errors)}`];
}

/** Validates a socket payload by the name of its schema. */
export function invalid(name: string, payload: unknown): string | null {
  const validate = ajv.compile({ $ref: `spec#/components/schemas/${name}` });
  return validate(payload) ? null : ajv.errorsText(validate.errors);
}

function absolute(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"spec#/')) as object;
}
