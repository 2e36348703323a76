import type { Logger } from 'pino';
import type { App } from '../../app/app.ts';

/** Milliseconds beyond the configured drain after which the process exits in any case. */
const SLACK_MS = 5000;

/**
 * Decides about an error that escaped the boundary of its exchange (rule 12). Such an error is a bug, and the state of the process is unknown
 * after it. The edge stops as at SIGTERM, so that another edge takes over, and exits with status 1.
 * @param end ends the process with a status
 */
export function exitOnEscapedError(app: App, log: Logger, end: (status: number) => Promise<void>): void {
  let escaped = false;
  // A rejection that no code handles arrives here, too.
  process.on('uncaughtException', (err, origin) => {
    log.fatal(
      { err, origin },
      'an error escaped its request; this edge drains and exits. It is a bug: report this line',
    );
    if (escaped) return;
    escaped = true;
    process.exitCode = 1;
    setTimeout(() => void end(1), app.drainMs + SLACK_MS);
    app.stop().then(
      () => end(1),
      (failed: unknown) => {
        log.fatal({ err: failed }, 'the drain failed');
        return end(1);
      },
    );
  });
}
