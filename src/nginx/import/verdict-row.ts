import type { Verdict } from './notes.ts';

/** What becomes of a directive of which nothing special was found out. */
export interface TableRow {
  verdict: Verdict;
  text: string;
  /** Whether leaving it out changes what somebody relies on. */
  isImportant?: true;
  /** A key of docs/configuration.md, or a page. */
  see?: string;
}

export const better = (text: string, see?: string): TableRow => ({
  verdict: 'better',
  text,
  ...(see === undefined ? {} : { see }),
});
export const apart = (text: string): TableRow => ({ verdict: 'apart', text });
export const cannot = (text: string, see?: string): TableRow => ({
  verdict: 'cannot',
  text,
  ...(see === undefined ? {} : { see }),
});
export const important = (text: string, see?: string): TableRow => ({ ...cannot(text, see), isImportant: true });
export const taken = (text: string, see?: string): TableRow => ({
  verdict: 'taken',
  text,
  ...(see === undefined ? {} : { see }),
});

export const STREAMED = better('Breakwater always streams, in both directions. Nothing is written to disk.');
export const IDLE = better('Breakwater disconnects a client after 60 s without a byte.', 'limits.clientIdle');
export const UPSTREAM_TIME = better(
  'Breakwater has a time limit for each step of a request.',
  'upstreams.NAME.deadlines',
);
export const NO_CACHE = cannot(
  'Breakwater keeps manifests in memory, and no blobs. A registry that mirrors, as the first upstream of pull, keeps blobs.',
  'manifests',
);
export const NO_LIMIT = cannot(
  'Breakwater limits connections and requests in flight, but not the rate of one client. It rate-limits wrong passwords.',
  'maxInFlight',
);
export const TLS = better('Breakwater takes TLS 1.2 and 1.3, with the ciphers of Node.');
export const UPSTREAM_TLS = better(
  'Breakwater always checks the certificates of upstreams, and sends their names.',
  'upstreams.NAME.caFile',
);
export const PROGRAM = important(
  'Breakwater runs no programs of its own. What this one does has to be done by the configuration, or before the edge.',
);
export const MACHINE = apart('It concerns the nginx process, not the registry.');
export const LOGS = better('Breakwater logs JSON lines to standard output.', 'log');
export const RETRIES = better(
  'Breakwater fails over on these failures by itself, for pulls only. A push goes to one upstream, and is never repeated.',
);
export const HEADER = better(
  'Breakwater sends the upstream its own host name, and says who the client is. What clients claim is dropped.',
);
export const COMPRESSION = better('Blobs are compressed already. Breakwater passes on what the registry sends.');
export const PASSES = apart('Breakwater speaks HTTP to registries only.');
