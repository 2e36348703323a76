import { UpstreamError } from './upstream-error.ts';

/**
 * Sends one of several requests that are made one after the other. Each has a deadline of its own: at a slow upstream all together may take
 * longer (rule 11).
 * @param asked what is asked, for the error's message
 * @param signal bounds all requests together
 * @throws UpstreamError `first-byte` after the deadline; the signal's reason
 */
export async function withOwnDeadline<T>(
  ms: number,
  asked: string,
  signal: AbortSignal,
  send: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(ms);
  try {
    return await send(AbortSignal.any([signal, deadline]));
  } catch (error) {
    if (deadline.aborted && !signal.aborted) throw new UpstreamError('first-byte', `${asked} does not answer in time`);
    throw error;
  }
}
