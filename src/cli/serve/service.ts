import { type App, createApp } from '../../app/app.ts';
import { loadConfig } from '../../config/load.ts';
import { addressText } from '../../server/bound-address.ts';
import { passedSockets } from '../../server/passed-sockets.ts';
import { declareOutputLog } from '../output/standard-streams.ts';
import { exitOnEscapedError } from './escaped-error.ts';
import { createLog } from './logger.ts';
import { MemoryRelease, releaseUnused } from './memory-release.ts';
import { Reloader } from './reloader.ts';
import { ServiceManager } from './service-manager.ts';

/** Milliseconds for the last lines of the log to be written. */
const LAST_LINES_MS = 1_000;
/** Milliseconds that a stop may take beyond its drain. */
const SLACK_MS = 10_000;

/** Serves clients until SIGTERM or SIGINT, then ends the process. @param path of the configuration */
export async function serve(path: string): Promise<void> {
  const passed = passedSockets(process.env, process.pid);
  const loaded = await loadConfig(path);
  declareOutputLog();
  const { logger: log, output } = createLog(loaded.config.log.level);
  const end = async (status: number) => {
    await output.finish(LAST_LINES_MS);
    output.exit(status);
  };
  // Node writes its warnings to standard error itself, and would wait for a reader there.
  process.removeAllListeners('warning').on('warning', (warning) => {
    // Breakwater uses node:ffi knowingly, to give memory back.
    log[warning.name === 'ExperimentalWarning' ? 'debug' : 'warn']({ err: warning }, 'Node.js warns');
  });
  const app = await createApp(loaded, { log, droppedLogLines: () => output.dropped, passed });
  const manager = new ServiceManager(process.env, log);
  exitOnEscapedError(app, log, end);
  const reloader = new Reloader(app, path, log);
  // The handlers are set before the first await on the network, because a signal during the first probes must not kill the process.
  const stopping = new Promise<string>((resolve) => {
    process.on('SIGTERM', () => resolve('SIGTERM'));
    process.on('SIGINT', () => resolve('SIGINT'));
  });
  process.on('SIGHUP', () => {
    void manager.reloading();
    void reloader.reload('SIGHUP').then((result) => manager.reloaded(result));
  });
  await app.start();
  await reloader.start(loaded);
  releaseMemoryOf(app).start();
  const { https, plain, http, admin } = app.addresses();
  log.info(
    {
      https: addressText(https),
      ...(plain ? { plain: addressText(plain) } : {}),
      ...(http ? { http: addressText(http) } : {}),
      admin: addressText(admin),
      pid: process.pid,
    },
    'listening',
  );
  // The edge serves already; nothing waits for the service manager.
  void manager.ready();
  const signal = await stopping;
  const told = manager.stopping(app.drainMs + SLACK_MS);
  log.info({ signal }, 'stopping; a second signal stops at once');
  const stopNow = () => {
    app.leave();
    output.exit(1);
  };
  for (const again of ['SIGTERM', 'SIGINT'] as const) process.on(again, stopNow);
  reloader.close();
  await app.stop();
  await told;
  log.info('stopped');
  // An error that escaped has set another status.
  await end(Number(process.exitCode ?? 0));
}

function releaseMemoryOf(app: App): MemoryRelease {
  return new MemoryRelease({
    load: () => app.load(),
    residentBytes: () => process.memoryUsage.rss(),
    trimBuffers: () => app.trimBuffers(),
    release: releaseUnused,
  });
}
