import { isIP } from 'node:net';
import type { HeaderList } from '../../upstream/header-list.ts';
import type { Exchange } from '../exchange.ts';
import { traceOf } from '../request/client-claims.ts';

// RFC 9110 section 7.6.1, and the names of RFC 2616.
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);
/**
 * Headers about the upstream's own host. Under the edge's name they would bind clients to the wishes of one upstream.
 */
const NEVER_CROSS = new Set([
  'set-cookie',
  'alt-svc',
  'strict-transport-security',
  'server',
  'x-powered-by',
  'public-key-pins',
  'x-request-id',
  'oci-namespace',
]);
/**
 * Headers that act on browsers, which no registry client reads. Under the edge's name, one upstream could delete the cookies of the page that
 * `passthrough` shows, lead a browser elsewhere, or open replies to the scripts of other sites.
 */
const ACTS_ON_BROWSERS = new RegExp(
  `^(?:${[
    '(?:access-control|cross-origin|content-security-policy|document-policy|integrity-policy|permissions-policy)(?:-.*)?',
    'accept-ch|activate-storage-access|clear-site-data|content-disposition|critical-ch|expect-ct|feature-policy|nel',
    'observe-browsing-topics|origin-agent-cluster|origin-trial|p3p|referrer-policy|refresh|report-to|reporting-endpoints',
    'service-worker-allowed|set-login|sourcemap|speculation-rules|supports-loading-mode|timing-allow-origin',
    'x-content-type-options|x-dns-prefetch-control|x-frame-options|x-permitted-cross-domain-policies|x-xss-protection',
  ].join('|')})$`,
);
/** The client's headers that an upstream gets with a pull. */
const PULL_REQUEST = ['accept', 'if-none-match', 'if-modified-since', 'user-agent'];
/** W3C Trace Context, so that an upstream's traces are part of the client's. */
const TRACE_CONTEXT = ['traceparent', 'tracestate'];
/** The headers of an answer from storage behind a redirect that clients get. */
const FROM_STORAGE = new Set([
  'content-type',
  'content-length',
  'content-range',
  'accept-ranges',
  'etag',
  'last-modified',
  'docker-content-digest',
]);
/** Headers that the edge sets itself, whatever a client claims. */
const FORWARDING = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-scheme',
  'x-real-ip',
  'x-original-url',
  'x-rewrite-url',
];

/**
 * The headers of a pull. Bodies are asked for without encoding, because another encoding would break lengths and
 * digests.
 * @param partial whether a part may be asked for
 */
export function pullHeaders(exchange: Exchange, partial = true): Record<string, string> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity', ...forwardingHeaders(exchange) };
  const traced = traceOf(exchange.headers.traceparent) !== undefined;
  for (const name of traced ? [...PULL_REQUEST, ...TRACE_CONTEXT] : PULL_REQUEST) {
    const value = exchange.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  return partial ? { ...headers, ...rangeHeaders(exchange) } : headers;
}

/** Whether the condition of If-Range holds is for the upstream to say: the validator comes from one. */
function rangeHeaders({ range, headers: { 'if-range': condition } }: Exchange): Record<string, string> {
  if (range === undefined) return {};
  return typeof condition === 'string' ? { range, 'if-range': condition } : { range };
}

/**
 * The headers of a request that is forwarded with its body.
 * @param cookies whether the client's cookies belong to this upstream
 */
export function forwardedHeaders(exchange: Exchange, cookies: boolean): Record<string, string> {
  const listed = connectionOptions(exchange.headers.connection);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(exchange.headers)) {
    const dropped = name.startsWith(':') || HOP_BY_HOP.has(name) || listed.has(name) || FORWARDING.includes(name);
    if (dropped || value === undefined || name === 'host' || name === 'expect' || name === 'authorization') continue;
    if (name === 'cookie' && !cookies) continue;
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  // The framing of the body is the only hop-by-hop header that is forwarded: a length, or chunks.
  if (exchange.headers['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked';
  return { ...headers, ...forwardingHeaders(exchange) };
}

/**
 * Tells the client's address, but not the scheme. A registry that is reached over plain HTTP and believes it is https
 * would name a token service and Locations that do not exist.
 */
function forwardingHeaders({ client }: Exchange): Record<string, string> {
  return isIP(client) === 0 ? {} : { 'x-forwarded-for': client };
}

/**
 * The headers of an upstream's answer that the client gets verbatim.
 * @param from `storage` if a redirect was followed, `passthrough` if the upstream shows pages to browsers
 * @param rewritten headers that the caller sets itself
 */
export function repliedHeaders(
  answer: HeaderList,
  from: 'registry' | 'storage' | 'passthrough',
  rewritten?: ReadonlySet<string>,
): [string, string][] {
  const listed = connectionOptions(answer.joined('connection'));
  return [...answer].filter(([name]) => {
    if (HOP_BY_HOP.has(name) || listed.has(name) || rewritten?.has(name)) return false;
    if (from === 'storage') return FROM_STORAGE.has(name);
    if (from === 'passthrough') return name === 'set-cookie' || !NEVER_CROSS.has(name);
    return !NEVER_CROSS.has(name) && !ACTS_ON_BROWSERS.test(name);
  });
}

/** The headers that belong to one connection only (RFC 9110 section 7.6.1). */
function connectionOptions(header = ''): Set<string> {
  return new Set(header.toLowerCase().split(/\s*,\s*/));
}
