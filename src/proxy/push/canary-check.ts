import { readClocks } from '../../clock/clock.ts';
import { pushRefusal } from '../../failover/plan.ts';
import type { Gate } from '../../failover/view.ts';
import type { OciError } from '../../oci/error.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { Exchange } from '../exchange.ts';

/** Milliseconds of a request after which a silent canary counts as an outage: a client has a clear error within 10 s. */
const SILENT_MS = 9000;

/**
 * Reads the push upstream's canary for the start of an upload. A registry whose storage is unmounted would answer 202 and lose the upload.
 * A push has no other upstream, so that a slow canary is waited for (rule 11). In an outage the write gate ends the wait: it knows from the
 * probes.
 * @throws OciError DENIED if the canary fails, if the gate closes meanwhile, or if the canary stays silent
 */
export async function checkCanary(exchange: CanaryWait, upstream: Upstream, url: string): Promise<void> {
  const { startedAt } = exchange;
  const over = new AbortController();
  const silence = Promise.withResolvers<'silent'>();
  const timer = setTimeout(() => silence.resolve('silent'), Math.max(SILENT_MS - exchange.elapsed(), 1));
  try {
    const canary = upstream.confirmCanaryPatiently(url);
    const verdict = await Promise.race([canary, upstream.untilRefusing(over.signal), silence.promise]);
    if (typeof verdict === 'object') throw pushRefusal(upstream.name, verdict, readClocks());
    if (verdict === 'failing')
      throw refusal(upstream, 'its storage does not answer: the canary could not be read', startedAt);
    if (verdict === 'silent')
      throw refusal(upstream, `its canary has not been read within ${SILENT_MS / 1000} s`, startedAt);
  } finally {
    over.abort();
    clearTimeout(timer);
  }
}

/** Waits until the write gate refuses. @throws OciError DENIED then */
export async function untilRefused(upstream: Upstream, signal: AbortSignal): Promise<never> {
  throw pushRefusal(upstream.name, await upstream.untilRefusing(signal), readClocks());
}

type CanaryWait = Pick<Exchange, 'startedAt' | 'elapsed'>;

/** @param since monotonic milliseconds */
export function refusal({ name }: Pick<Upstream, 'name'>, reason: string, since: number): OciError {
  const gate: Gate = { mode: 'refusing', since, reason };
  return pushRefusal(name, gate, readClocks());
}
