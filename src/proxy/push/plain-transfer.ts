import type { Readable } from 'node:stream';
import { Transfer } from '../../splice/transfer.ts';
import { ReadableSource } from '../../upstream/body/readable-source.ts';
import type { AttemptPermit } from '../../upstream/health/attempt-permit.ts';

/** A body that nobody else can go on with: an answer to a write, or of what is no registry API. @param stallMs milliseconds without a byte */
export function plainTransfer(body: Readable, upstream: string, permit: AttemptPermit, stallMs: number): Transfer {
  const leg = { upstream, url: '', source: new ReadableSource(body), startOffset: 0, permit };
  return new Transfer({ leg, limits: { stallMs, minRate: 0, rateWindowMs: Number.POSITIVE_INFINITY } });
}
