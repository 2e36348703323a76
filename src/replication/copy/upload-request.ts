import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { HeaderList } from '../../upstream/header-list.ts';
import type { UpstreamWrite } from '../../upstream/upstream-call.ts';
import { readErrorMessage } from '../registry/registry-failure.ts';
import type { RemoteRegistry } from '../registry/remote-registry.ts';
import { UploadTimeout } from './upload-timeout.ts';

export interface UploadRequest {
  method: UpstreamWrite['method'];
  /** Path and query below the registry's URL, or the Location of an upload. */
  at: string | URL;
  headers: Record<string, string>;
  scopes: readonly string[];
  /** The body: its length, and a reader that stops when the signal aborts. */
  body?: { bytes: number; read: (signal: AbortSignal) => AsyncGenerator<Buffer> };
  /** See `UploadTimeoutOptions`. */
  idleMs?: number | undefined;
}

/** An answer whose body was read completely. */
export interface UploadReply {
  status: number;
  headers: HeaderList;
  /** The message in the body of an error. */
  errorMessage: string;
  /** Whether the registry read the whole request body. */
  bodyComplete: boolean;
}

/** Milliseconds for the answer to a request without a body. */
const ANSWER_MS = 30_000;
/** Milliseconds for the answer after the last byte of a body: storage may have to copy a large blob. */
const COMMIT_MS = 900_000;
/** Bodies up to this many bytes are buffered before they are sent, so that they can be sent again after a refused token. */
const SMALL_BODY_BYTES = 262_144;

/**
 * Sends one request of an upload. The source is not read any further once the request has ended.
 * @throws UpstreamError; the signal's reason
 */
export async function sendUpload(
  { connection }: RemoteRegistry,
  { method, at, headers, scopes, body, idleMs }: UploadRequest,
  signal: AbortSignal,
): Promise<UploadReply> {
  const small = body && body.bytes <= SMALL_BODY_BYTES ? await buffer(body.read(signal)) : undefined;
  const watch = new UploadTimeout(signal, { answerMs: body || method === 'PUT' ? COMMIT_MS : ANSWER_MS, idleMs });
  const stream =
    body && !small ? Readable.from(watch.watch(body.read(watch.signal)), { objectMode: false }) : undefined;
  // The HTTP client listens for errors only while it sends; a failure of the source is kept in the source.
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
    // The abort error does not always carry its reason; the signal does.
    watch.signal.throwIfAborted();
    throw error;
  } finally {
    watch.end();
    stream?.destroy();
  }
}
