import { setTimeout as delay } from 'node:timers/promises';
import { monotonicNow } from '../clock/clock.ts';
import { probeTimeAfterStandstill, probeTimeLeft } from '../failover/health.ts';
import { LoopDelay } from './loop-delay.ts';

/**
 * Waits for a probe, a read of the canary, or a question about users, for as long as it may take. Time in which the event loop of the edge
 * stood still does not count, within bounds.
 * @param limit milliseconds
 * @returns `late`: the answer is not there yet
 */
export async function withinLimit<T>(reading: Promise<T>, limit: number): Promise<T | 'late'> {
  const began = monotonicNow();
  const loop = new LoopDelay();
  const over = new AbortController();
  const wait = (ms: number) => delay(ms, undefined, { signal: over.signal, ref: false });
  const waitFor = async (ms: number): Promise<'late'> => {
    await wait(ms);
    const [elapsed, blocked] = [monotonicNow() - began, loop.blockedMs];
    const more = probeTimeLeft(limit, elapsed, blocked);
    if (more >= 1) return waitFor(more);
    await wait(probeTimeAfterStandstill(limit, elapsed, blocked));
    return 'late';
  };
  const late = waitFor(limit);
  // The wait is aborted as soon as the reading has ended.
  late.catch(() => undefined);
  try {
    return await Promise.race([reading, late]);
  } finally {
    over.abort();
    loop.stop();
  }
}
