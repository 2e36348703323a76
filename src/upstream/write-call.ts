import type { Readable } from 'node:stream';

/** A request that changes something, or asks how far that has come. */
export interface UpstreamWrite {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Path and query below the URL; or where the upstream said that an upload goes on. */
  at: string | URL;
  headers: Record<string, string>;
  /** A stream can be sent only once: a refused Authorization is the caller's to try again. */
  body?: Buffer | Readable;
  scopes: readonly string[];
  signal: AbortSignal;
}
