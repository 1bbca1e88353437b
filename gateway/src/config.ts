/** Configuration: parsed once from the environment, into one typed object. A wrong value stops the start. */
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { z } from 'zod';
import { root } from './root.js';

const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((item) => item.trim().toLowerCase())
      .filter((item) => item !== ''),
  );
const seconds = (fallback: number) => z.coerce.number().positive().max(86_400).default(fallback);
const flag = z.enum(['true', 'false']);

const schema = z.object({
  HOST: z.string().min(1).default('127.0.0.1').describe('address to listen on'),
  PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(4400)
    .describe('port to listen on; 0: any free one'),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('address under which browsers reach the gateway, where a proxy stands before it'),
  DATA_DIR: z
    .string()
    .min(1)
    .default('.data')
    .describe('directory for the mirror, the token and the backend, relative to the checkout'),
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/ })
    .optional()
    .describe('PostgreSQL for the mirror; unset: an embedded one under DATA_DIR'),
  BACKEND_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('a backend that runs elsewhere; unset: the gateway starts and supervises its own'),
  BACKEND_TOKEN: z
    .string()
    .min(16)
    .optional()
    .describe('token of the backend at BACKEND_URL, and needed with it'),
  PYTHON: z
    .string()
    .min(1)
    .default('.venv/bin/python')
    .describe('Python that runs the backend, relative to the checkout'),
  GATEWAY_TOKEN: z
    .string()
    .regex(/^[A-Za-z0-9._~-]{24,200}$/, 'must be 24 to 200 of A-Z a-z 0-9 . _ ~ -')
    .optional()
    .describe('bearer token of the API; unset: generated once and kept in DATA_DIR/gateway.token'),
  ALLOWED_HOSTS: list.describe(
    'more Host names to accept, comma-separated; loopback names and HOST always are',
  ),
  ALLOWED_ORIGINS: list.describe('more Origins to accept, comma-separated, e.g. `http://localhost:5173`'),
  TRUST_PROXY: flag
    .default('false')
    .transform((text) => text === 'true')
    .describe('take the address of the client from X-Forwarded-For'),
  RATE_LIMIT: z.coerce
    .number()
    .int()
    .min(0)
    .default(12_000)
    .describe('requests per minute from one address; 0: no limit'),
  SOCKET_RATE_LIMIT: z.coerce
    .number()
    .int()
    .min(1)
    .default(50)
    .describe('messages per second from one socket; more end its connection'),
  BACKEND_TIMEOUT: seconds(30).describe('seconds for an ordinary answer of the backend'),
  BACKEND_LONG_TIMEOUT: seconds(1800).describe(
    'seconds for verify, predict, materialize, import, and the first byte of a download',
  ),
  REQUEST_TIMEOUT: seconds(60).describe(
    'seconds for a whole request to arrive; an imported file has BACKEND_LONG_TIMEOUT',
  ),
  SHUTDOWN_TIMEOUT: seconds(10).describe('seconds for an orderly end, then the process exits anyway'),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('least severe level that is logged; JSON lines on stderr'),
});

export type Environment = Readonly<Record<string, string | undefined>>;

export type Config = Readonly<{
  host: string;
  port: number;
  publicUrl: string | undefined;
  dataDirectory: string;
  databaseUrl: string | undefined;
  /** Null where the gateway starts its own. */
  external: { url: string; token: string } | null;
  python: string;
  token: string | undefined;
  allowedHosts: readonly string[];
  allowedOrigins: readonly string[];
  trustProxy: boolean;
  rateLimit: number;
  socketRateLimit: number;
  /** Milliseconds. */
  backendTimeout: number;
  /** Milliseconds. */
  backendLongTimeout: number;
  /** Milliseconds. */
  requestTimeout: number;
  /** Milliseconds. */
  shutdownTimeout: number;
  logLevel: z.infer<typeof schema>['LOG_LEVEL'];
}>;

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** One row a setting, for the README. */
export const settings: readonly { name: string; default: string; meaning: string }[] = Object.entries(
  schema.shape,
).map(([name, field]) => ({ name, default: defaultOf(field), meaning: field.description ?? '' }));

/** Throws ConfigError with one line a fault. Makes the data directory, so that a read-only place is a fault now. */
export function parseConfig(environment: Environment): Config {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(set);
  if (!parsed.success) {
    throw new ConfigError(
      parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('\n'),
    );
  }
  const values = parsed.data;
  if (values.BACKEND_URL && !values.BACKEND_TOKEN)
    throw new ConfigError('BACKEND_TOKEN: needed with BACKEND_URL');
  return {
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL?.replace(/\/+$/, ''),
    dataDirectory: writableDirectory(resolve(root, values.DATA_DIR)),
    databaseUrl: values.DATABASE_URL,
    external:
      values.BACKEND_URL && values.BACKEND_TOKEN
        ? { url: values.BACKEND_URL.replace(/\/+$/, ''), token: values.BACKEND_TOKEN }
        : null,
    python: executable(values.PYTHON),
    token: values.GATEWAY_TOKEN,
    allowedHosts: values.ALLOWED_HOSTS,
    allowedOrigins: values.ALLOWED_ORIGINS,
    trustProxy: values.TRUST_PROXY,
    rateLimit: values.RATE_LIMIT,
    socketRateLimit: values.SOCKET_RATE_LIMIT,
    backendTimeout: values.BACKEND_TIMEOUT * 1000,
    backendLongTimeout: values.BACKEND_LONG_TIMEOUT * 1000,
    requestTimeout: values.REQUEST_TIMEOUT * 1000,
    shutdownTimeout: values.SHUTDOWN_TIMEOUT * 1000,
    logLevel: values.LOG_LEVEL,
  };
}

/** A bare name such as `python3` is looked up in PATH by the system; anything else lies in the checkout. */
function executable(text: string): string {
  return isAbsolute(text) || !text.includes('/') ? text : join(root, text);
}

/** Made where it is missing. Throws ConfigError where it cannot be made or written. */
export function writableDirectory(path: string): string {
  try {
    makeDirectory(path);
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new ConfigError(`DATA_DIR: ${path} cannot be written`, { cause });
  }
  return path;
}

function defaultOf(field: z.ZodType): string {
  const { success, data } = field.safeParse(undefined);
  return success && data !== undefined && String(data) !== '' ? String(data) : '';
}

/** Makes the directory and its parents. Node's `recursive` never returns where making one fails with ENOENT (/proc). */
function makeDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent);
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process has made it meanwhile.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}
