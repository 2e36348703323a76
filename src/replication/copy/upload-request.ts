import { Readable } from 'node:stream';
import type { HeaderList } from '../../upstream/header-list.ts';
import type { UpstreamWrite } from '../../upstream/upstream-call.ts';
import { readErrorMessage } from '../registry/registry-failure.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import { UploadTimeout } from './upload-timeout.ts';

export interface UploadRequest {
  method: UpstreamWrite['method'];
  /** Path and query below the registry's URL, or where it said that an upload goes on. */
  at: string | URL;
  headers: Record<string, string>;
  scopes: readonly string[];
  /** So many bytes, read until the signal says that they are not wanted any more. */
  body?: { bytes: number; read: (signal: AbortSignal) => AsyncGenerator<Buffer> };
  /** See `UploadWatchOptions`. */
  idleMs?: number | undefined;
}

/** An answer that was read to its end. */
export interface UploadReply {
  status: number;
  headers: HeaderList;
  /** What the registry told of an error. */
  errorMessage: string;
  /** Whether it had the whole body. */
  bodyComplete: boolean;
}

/** Milliseconds for the answer to a request without a body. */
const ANSWER_MS = 30_000;
/** Milliseconds for the answer to one with a body, after its last byte: storage may have to copy a large blob. */
const COMMIT_MS = 900_000;
/** Bytes up to which a body is read before it is sent: it goes at once, and can go again if a token was refused. */
const SMALL_BODY_BYTES = 262_144;

/** A request of an upload; whatever becomes of it, its body is read no longer than that. @throws UpstreamError; the signal's reason */
export async function sendUpload(
  { connection }: RemoteRegistry,
  { method, at, headers, scopes, body, idleMs }: UploadRequest,
  signal: AbortSignal,
): Promise<UploadReply> {
  const small = body && body.bytes <= SMALL_BODY_BYTES ? await collect(body.read(signal)) : undefined;
  const watch = new UploadTimeout(signal, { answerMs: body || method === 'PUT' ? COMMIT_MS : ANSWER_MS, idleMs });
  const stream =
    body && !small ? Readable.from(watch.watch(body.read(watch.signal)), { objectMode: false }) : undefined;
  // The client listens only as long as it sends; what the source failed with is kept there.
  stream?.on('error', () => undefined);
  const sent = small ?? stream;
  const length: Record<string, string> =
    method === 'GET' || method === 'DELETE' ? {} : { 'content-length': String(body?.bytes ?? 0) };
  try {
    const call = { method, at, headers: { ...headers, ...length }, scopes, signal: watch.signal };
    const answer = await connection.write(sent ? { ...call, body: sent } : call);
    const errorMessage = await readErrorMessage(answer);
    const bodyComplete = !stream || watch.sentBytes === body?.bytes;
    return { status: answer.status, headers: answer.headers, errorMessage, bodyComplete };
  } catch (error) {
    // Who sends learns that it was aborted, and not always why.
    watch.signal.throwIfAborted();
    throw error;
  } finally {
    watch.end();
    stream?.destroy();
  }
}

async function collect(pieces: AsyncGenerator<Buffer>): Promise<Buffer> {
  const read: Buffer[] = [];
  for await (const piece of pieces) read.push(piece);
  return Buffer.concat(read);
}
