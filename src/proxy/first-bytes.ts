import type { Readable } from 'node:stream';
import { UpstreamError } from '../upstream/upstream-error.ts';

/** Waits for the first bytes of a body, so that an upstream that only sends headers has not answered yet. Null: it is empty. */
export function firstBytes(body: Readable, signal: AbortSignal): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    const onReadable = () => {
      const chunk: Buffer | null = body.read();
      if (chunk !== null) done(() => resolve(chunk));
    };
    const onEnd = () => done(() => resolve(null));
    const onError = (error: unknown) => done(() => reject(error));
    const onClose = () => done(() => reject(new UpstreamError('short', 'the body ended before its first byte')));
    const onAbort = () => {
      done(() => reject(signal.reason));
      body.destroy();
    };
    const done = (finish: () => void) => {
      body.off('readable', onReadable).off('end', onEnd).off('error', onError).off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      // What comes after is the relay's to see, but an error before it looks must not end the process.
      body.on('error', ignoreUntilRelayed);
      finish();
    };
    body.on('readable', onReadable).on('end', onEnd).on('error', onError).on('close', onClose);
    signal.addEventListener('abort', onAbort);
  });
}

function ignoreUntilRelayed(): void {
  // The relay asks `errored` first.
}
