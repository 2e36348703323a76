import type { Readable } from 'node:stream';
import type { Answer, Call } from './client.ts';
import type { StreamAnswer } from './streams.ts';

/** A request to an upstream, in the upstream's own names. `path` is below the upstream's URL. */
export interface UpstreamCall extends Omit<Call, 'body'> {
  /** The scopes that a token must have. */
  scopes: readonly string[];
  /** The client's own Authorization, for an upstream with `credentials: forward`. */
  clientAuthorization?: string | undefined;
  redirects: 'follow' | 'pass';
}

/** The origin of an answer. */
export interface Provenance {
  /** Whether a redirect was followed, so that the answer does not come from the registry itself. */
  redirected: boolean;
  url: URL;
}

export type UpstreamAnswer = Answer & Provenance;
export type UpstreamStream = StreamAnswer & Provenance;

/** A request of an upload or a deletion. */
export interface UpstreamWrite extends Pick<UpstreamCall, 'headers' | 'scopes' | 'signal'> {
  method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  /** Path and query below the upstream's URL, or the Location of an upload. */
  at: string | URL;
  /** A stream can be sent only once, so a refused Authorization is not retried here. */
  body?: Buffer | Readable;
}
