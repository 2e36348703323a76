let interrupted = false;

/** Whether a signal has come for `abortOnSignals`. */
export function wasInterrupted(): boolean {
  return interrupted;
}

/** Ends a command on a signal of the process. The first signal aborts the controller that is returned; a second one ends the process at once. */
export function abortOnSignals(signals: readonly NodeJS.Signals[]): AbortController {
  const controller = new AbortController();
  const interrupt = () => {
    interrupted = true;
    if (controller.signal.aborted) process.exit(1);
    controller.abort(new Error('interrupted'));
  };
  for (const name of signals) process.on(name, interrupt);
  return controller;
}
