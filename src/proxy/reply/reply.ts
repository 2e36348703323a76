import type { Readable } from 'node:stream';
import { type StreamedBody, Transfer } from '../../splice/transfer.ts';
import { ReadableSource } from '../../upstream/body/readable-source.ts';
import type { AttemptPermit } from '../../upstream/health/attempt-permit.ts';

/** An answer on its way to the client. */
export interface Reply {
  status: number;
  headers: [string, string][];
  body: Buffer | StreamedBody | undefined;
  /** The upstream that the answer comes from. Undefined for the edge's own answers. */
  upstream: string | undefined;
}

/** A small answer of the edge's own. */
export function jsonReply(status: number, content: unknown, headers: [string, string][] = []): Reply {
  const body = Buffer.from(JSON.stringify(content));
  return {
    status,
    headers: [['content-type', 'application/json'], ['content-length', String(body.length)], ...headers],
    body,
    upstream: undefined,
  };
}

/**
 * The transfer of a body that no other upstream can resume: the answer to a write, or a page outside of the registry
 * API.
 * @param stallMs milliseconds without a byte
 */
export function plainTransfer(body: Readable, upstream: string, permit: AttemptPermit, stallMs: number): Transfer {
  const leg = { upstream, url: '', source: new ReadableSource(body), startOffset: 0, permit };
  return new Transfer({ leg, limits: { stallMs, minRate: 0, rateWindowMs: Number.POSITIVE_INFINITY } });
}
