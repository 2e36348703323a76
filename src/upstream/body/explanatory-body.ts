import type { Readable } from 'node:stream';
import { unlessAborted } from '../unless-aborted.ts';
import { readBody } from './read-body.ts';
import { StreamedBody } from './streamed-body.ts';

/** The body of an answer whose status alone settles the matter. It may explain the status, and is never needed. */
type ExplanatoryBody = StreamedBody | Readable;

/** Bytes of such a body that are read, so that its connection can be used again. */
const MAX_BYTES = 65_536;
/** Milliseconds that such a body may take. Registries built with old Go announce more bytes for a 416 than they send. */
const MAX_MS = 500;

/** Throws the body away. Never rejects: a body that breaks off, is long or slow is closed with its connection. */
export async function dropBody(body: Pick<StreamedBody, 'dump'>): Promise<void> {
  await body.dump({ limit: MAX_BYTES, signal: AbortSignal.timeout(MAX_MS) }).catch(() => undefined);
}

/** Reads the body; undefined if it breaks off, is too long, or takes too long. */
export async function readExplanation(body: ExplanatoryBody): Promise<Buffer | undefined> {
  const signal = AbortSignal.timeout(MAX_MS);
  try {
    if (body instanceof StreamedBody) return await body.read(MAX_BYTES, signal);
    return await unlessAborted(signal, readBody(body, MAX_BYTES), () => body.destroy());
  } catch {
    body.destroy();
    return undefined;
  }
}
