import type { Upstream } from '../upstream/upstream.ts';

/** Milliseconds without a first byte after which the canary is read. */
const WORRY_MS = 300;

/**
 * An answer that is late may be slow or may never come: the canary tells, well before the deadline. A good one changes nothing.
 * After `stop` nothing is called any more, since the signal then belongs to the body.
 */
export function worryAbout(upstream: Upstream, url: string, onDead: () => void): { stop: () => void } {
  let waiting = true;
  const timer = setTimeout(async () => {
    const canary = await upstream.confirmCanary(url);
    if (waiting && canary === 'failing') onDead();
  }, WORRY_MS);
  const stop = () => {
    waiting = false;
    clearTimeout(timer);
  };
  return { stop };
}
