/**
 * Waits for a shared promise only as long as the caller's own signal allows; the shared work goes on for the others.
 */
export async function unlessAborted<T>(signal: AbortSignal, shared: Promise<T>): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([shared, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
