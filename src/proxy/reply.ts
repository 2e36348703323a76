import type { Readable } from 'node:stream';
import type { Lease } from '../upstream/lease.ts';

/** A body under way: its first bytes are there already, so that the attempt counts as answered. */
export interface BodyStream {
  first: Buffer | null;
  rest: Readable;
  /** Milliseconds without a byte after which the upstream counts as stalled. */
  stallMs: number;
  lease: Lease;
  upstream: string;
}

/** An answer on its way to the client. */
export interface Reply {
  status: number;
  headers: [string, string][];
  body: Buffer | BodyStream | undefined;
  /** Where it comes from; undefined when it is the edge's own. */
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
