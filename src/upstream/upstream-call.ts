import type { Readable } from 'node:stream';
import type { Answer } from './client.ts';
import type { StreamAnswer } from './streams.ts';

/** A request to an upstream URL in the upstream's own names. */
export interface UpstreamCall {
  method: string;
  /** Path and query below the URL. */
  path: string;
  headers: Record<string, string>;
  /** What a token must allow. */
  scopes: readonly string[];
  /** The client's own Authorization, for an upstream with `credentials: forward`. */
  clientAuthorization?: string | undefined;
  signal: AbortSignal;
  redirects: 'follow' | 'pass';
  /** See `Call`. */
  keepAlive?: boolean;
}

/** Where an answer came from. */
export interface Provenance {
  /** Whether it came from where a redirect led, and not from the registry itself. */
  redirected: boolean;
  url: URL;
}

export type UpstreamAnswer = Answer & Provenance;
export type UpstreamStream = StreamAnswer & Provenance;

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
