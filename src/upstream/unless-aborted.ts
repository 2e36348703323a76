/**
 * Waits for a promise only as long as the caller's own signal allows. Work that other callers wait for too goes on.
 * @param onAbort ends work that is the caller's alone
 * @throws the signal's reason, or the error of the work
 */
export async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>, onAbort?: () => void): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => {
    onAbort?.();
    reject(signal.reason);
  };
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
