import type { HeaderList } from '../../upstream/header-list.ts';
import { type Exchange, UNKNOWN_CLIENT } from '../exchange.ts';

// RFC 9110 section 7.6.1, with the names that RFC 2616 had.
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
/** Said of the upstream's own host; on the edge's they would bind clients to what only one of the upstreams means. */
const NEVER_CROSS = new Set([
  'set-cookie',
  'alt-svc',
  'strict-transport-security',
  'server',
  'x-powered-by',
  'public-key-pins',
  'x-request-id',
]);
/** All that a pull tells an upstream of its client. */
const PULL_REQUEST = ['accept', 'if-none-match', 'if-modified-since', 'range', 'user-agent'];
/** What of an answer from storage behind a redirect concerns the client. */
const FROM_STORAGE = new Set([
  'content-type',
  'content-length',
  'content-range',
  'accept-ranges',
  'etag',
  'last-modified',
  'docker-content-digest',
]);
/** Set by the edge itself, whatever a client claims. */
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

/** Headers of a pull. Bodies are asked for as they are: a change of encoding would break lengths and digests. */
export function pullHeaders(exchange: Exchange): Record<string, string> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity', ...forwardingHeaders(exchange) };
  for (const name of PULL_REQUEST) {
    const value = exchange.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  return headers;
}

/**
 * Headers of a request that is carried through with its body.
 * @param cookies whether the client's cookies belong to this upstream
 */
export function forwardedHeaders(exchange: Exchange, cookies: boolean): Record<string, string> {
  const listed = new Set(
    String(exchange.headers.connection ?? '')
      .toLowerCase()
      .split(/\s*,\s*/),
  );
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(exchange.headers)) {
    const dropped = name.startsWith(':') || HOP_BY_HOP.has(name) || listed.has(name) || FORWARDING.includes(name);
    if (dropped || value === undefined || name === 'host' || name === 'expect' || name === 'authorization') continue;
    if (name === 'cookie' && !cookies) continue;
    headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  // How the body is framed is the one thing of the connection that goes with it: a length, or chunks.
  if (exchange.headers['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked';
  return { ...headers, ...forwardingHeaders(exchange) };
}

/**
 * Who asks, but not by which scheme: a registry that is reached by plain HTTP and believes it is https names a token service, and
 * Locations, that are not there.
 */
function forwardingHeaders({ client }: Exchange): Record<string, string> {
  return client === UNKNOWN_CLIENT ? {} : { 'x-forwarded-for': client };
}

/**
 * The fields of an upstream's answer that its client gets, verbatim.
 * @param from `storage` where a redirect was followed, `passthrough` where cookies belong to that upstream
 */
export function repliedHeaders(answer: HeaderList, from: 'registry' | 'storage' | 'passthrough'): [string, string][] {
  const listed = new Set((answer.joined('connection') ?? '').toLowerCase().split(/\s*,\s*/));
  return [...answer].filter(([name]) => {
    if (HOP_BY_HOP.has(name) || listed.has(name)) return false;
    if (from === 'storage') return FROM_STORAGE.has(name);
    if (from === 'passthrough' && name === 'set-cookie') return true;
    return !NEVER_CROSS.has(name);
  });
}
