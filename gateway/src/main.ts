/** The process: environment in, one URL out, an orderly end on a signal. */
import { pino } from 'pino';
import { firstStart } from './backend/first-start.js';
import { ConfigError, parseConfig } from './config.js';
import { type Gateway, startGateway } from './gateway.js';

const config = (() => {
  try {
    return parseConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`The configuration is wrong:\n${error.message}\n`);
    return process.exit(1);
  }
})();

/** Lives of a backend that has never been up before the gateway gives up, with its back-off some eight seconds. */
const BACKEND_ATTEMPTS = 5;

const log = pino({ level: config.logLevel, base: null }, pino.destination({ dest: 2, sync: true }));

let gateway: Promise<Gateway> | undefined;
let ending = false;

async function end(code: number): Promise<never> {
  if (!ending) {
    ending = true;
    setTimeout(() => {
      log.error('gateway: not ended in time');
      process.exit(code || 1);
    }, config.shutdownTimeout).unref();
    const started = await gateway?.catch(() => undefined);
    await started?.close();
    process.exit(code);
  }
  return new Promise<never>(() => undefined);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // A second Ctrl-C: whoever asks twice does not want to wait.
    if (ending) process.exit(1);
    log.info({ signal }, 'gateway: ending');
    void end(0);
  });
}
process.on('uncaughtException', (err) => {
  log.fatal({ err }, 'gateway: failed');
  void end(1);
});

gateway = startGateway(config, log);
try {
  const { url, token, supervisor } = await gateway;
  await firstStart(supervisor, {
    attempts: BACKEND_ATTEMPTS,
    onFailure: (reason) =>
      process.stderr.write(`The backend did not start and is tried again: it ${reason}\n`),
  });
  // A token that was given is known to whoever gave it; printed, it would lie in the log of a container.
  const address = config.token === undefined ? `${url}/#token=${token}` : `${url}/ (token: GATEWAY_TOKEN)`;
  if (!ending) process.stdout.write(`\nAgent Forge is ready: ${address}\n\n`);
} catch (err) {
  log.fatal({ err }, 'gateway: could not start');
  process.stderr.write(`The gateway could not start: ${err instanceof Error ? err.message : String(err)}\n`);
  void end(1);
}
