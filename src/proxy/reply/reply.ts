import type { Transfer } from '../../splice/transfer.ts';

/** An answer on its way to the client. */
export interface Reply {
  status: number;
  headers: [string, string][];
  body: Buffer | Transfer | undefined;
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
