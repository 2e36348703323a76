import type { Readable } from 'node:stream';
import { Transfer } from '../../splice/transfer.ts';
import { ReadableSource } from '../../upstream/body/readable-source.ts';
import type { AttemptPermit } from '../../upstream/health/attempt-permit.ts';

/**
 * The transfer of a body that no other upstream can resume: the answer to a write, or a page outside of the registry
 * API.
 * @param stallMs milliseconds without a byte
 */
export function plainTransfer(body: Readable, upstream: string, permit: AttemptPermit, stallMs: number): Transfer {
  const leg = { upstream, url: '', source: new ReadableSource(body), startOffset: 0, permit };
  return new Transfer({ leg, limits: { stallMs, minRate: 0, rateWindowMs: Number.POSITIVE_INFINITY } });
}
