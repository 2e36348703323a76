import type { Config } from '../../config/schema.ts';
import { OciError } from '../../oci/error.ts';
import { formatRange, parseRanges } from '../../oci/range.ts';
import { isDigest, isRepository, isTag } from '../../oci/reference.ts';
import { parseRequest, type RegistryRequest } from '../../oci/request.ts';
import { MAX_PARTS } from '../../oci/several-ranges.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { DOWNLOAD_PATH, HOOK_SENDERS, HOOKS_PATH, type HookSender, OWN_TOKEN_PATH, TOKEN_PATH } from './paths.ts';
import { isLocalName } from './transport.ts';

export type ParsedRequest =
  | { kind: 'registry'; request: RegistryRequest }
  /** `sealed`: the token service of an upstream. Undefined: the edge's own. */
  | { kind: 'token'; sealed: string | undefined; query: URLSearchParams }
  | { kind: 'download'; sealed: string }
  | { kind: 'hook'; sender: HookSender }
  | { kind: 'passthrough'; upstream: string }
  /** A browser asks what pages of another origin may do. */
  | { kind: 'preflight' };

const MAX_URL = 16_384;
/** The most tags of one push by digest. */
const MAX_TAGS = 64;
/** TRACE would show a page the cookies that it may not read. Harbor knows no other methods. */
const PASSED = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
/** Shared by all requests without a query, and never changed. */
const NO_QUERY = new URLSearchParams();
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

/**
 * Stage 1: finds the endpoint, the registry and the repository of a request. It parses strictly.
 * @throws OciError for everything that is malformed
 */
export function parse(exchange: Exchange, context: Uses<'config' | 'names' | 'routes'>): ParsedRequest {
  const { url } = exchange;
  if (url.length > MAX_URL) throw new OciError('NAME_INVALID', 'the request target is too long', { status: 414 });
  if (!url.startsWith('/') || /[^\x21-\x7e]|[#\\]/.test(url))
    throw new OciError('NAME_INVALID', 'malformed request target');
  refuseBody(exchange);
  const host = hostOf(exchange);
  const [path = ''] = url.split('?', 1);
  const search = url.slice(path.length + 1);
  if (context.config.cors && exchange.method === 'OPTIONS' && isForClients(path)) {
    registryOfHost(exchange, context, host);
    return { kind: 'preflight' };
  }
  if (path === '/v2' || path.startsWith('/v2/'))
    return { kind: 'registry', request: registryRequest(exchange, context, host, path, search) };
  registryOfHost(exchange, context, host);
  const parsed = edgeEndpoint(path, search);
  exchange.notes.parse.kind = parsed?.kind ?? 'passthrough';
  return parsed ?? passthroughRequest(exchange, context, path);
}

/** Whether the page of another origin may have a use for the path. */
function isForClients(path: string): boolean {
  return /^\/v2(\/|$)/.test(path) || path === OWN_TOKEN_PATH || path.startsWith(TOKEN_PATH);
}

/** A request for an endpoint of the edge's own. */
function edgeEndpoint(
  path: string,
  search: string,
): Extract<ParsedRequest, { kind: 'token' | 'download' | 'hook' }> | undefined {
  const query = new URLSearchParams(search);
  if (path === OWN_TOKEN_PATH) return { kind: 'token', sealed: undefined, query };
  if (path.startsWith(TOKEN_PATH)) return { kind: 'token', sealed: path.slice(TOKEN_PATH.length), query };
  if (path.startsWith(DOWNLOAD_PATH)) return { kind: 'download', sealed: path.slice(DOWNLOAD_PATH.length) };
  const sender = HOOK_SENDERS.find((name) => path === HOOKS_PATH + name);
  return sender && { kind: 'hook', sender };
}

/** Everything else goes to the upstream of `passthrough`. @throws OciError where none is configured, or the path is in disguise */
function passthroughRequest({ method }: Exchange, { config }: Uses<'config'>, path: string): ParsedRequest {
  if (config.passthrough === undefined)
    throw new OciError('NAME_UNKNOWN', 'only the registry API under /v2/ is served here');
  refuseDisguise(path);
  if (!PASSED.includes(method))
    throw new OciError('UNSUPPORTED', 'requests with this method are not forwarded', {
      headers: { allow: PASSED.join(', ') },
    });
  return { kind: 'passthrough', upstream: config.passthrough };
}

function registryRequest(
  exchange: Exchange,
  context: Uses<'config' | 'names' | 'routes'>,
  host: string,
  path: string,
  search: string,
): RegistryRequest {
  const query = search === '' ? NO_QUERY : new URLSearchParams(search);
  const request = parseRequest(exchange.method, path, query);
  const { notes } = exchange;
  notes.parse.kind = request.kind === 'upload-start' ? 'upload' : request.kind;
  if ('repository' in request) notes.parse.repository = request.repository;
  if ('reference' in request) notes.parse.reference = request.reference;
  if ('digest' in request) notes.parse.reference = request.digest;
  const ofHost = registryOfHost(exchange, context, host);
  const named = query.get('ns');
  const isIgnored = named !== null && context.config.hosts.nsFallback && !isServed(context, hostNamed(named));
  const namespace = isIgnored ? null : named;
  exchange.registry = namespace === null ? ofHost : registryOfNamespace(context, namespace);
  exchange.namespace = namespace ?? undefined;
  checkParameters(exchange, request);
  checkLength(exchange, context, request);
  return request;
}

function checkParameters(exchange: Exchange, { kind, method, query }: RegistryRequest): void {
  if (kind === 'blob' || kind === 'manifest') readRange(exchange, kind);
  if (kind === 'manifest' && method === 'PUT') checkTags(query.getAll('tag'));
  if (kind !== 'upload' && kind !== 'upload-start') return;
  for (const name of ['digest', 'mount']) {
    const value = query.get(name);
    if (value !== null && !isDigest(value)) throw new OciError('DIGEST_INVALID');
  }
  const from = query.get('from');
  if (from !== null && !isRepository(from)) throw new OciError('NAME_INVALID');
}

/**
 * Reads the Range header. Several ranges are for blobs: other requests, and those for too many ranges, are answered as if there was no such
 * header (RFC 9110 section 14.2).
 */
function readRange(exchange: Exchange, kind: 'blob' | 'manifest'): void {
  const ranges = parseRanges(exchange.headers.range);
  if (ranges === 'invalid') throw new OciError('RANGE_INVALID');
  const [only, second] = ranges ?? [];
  if (only) exchange.range = second ? undefined : formatRange(only);
  if (second && kind === 'blob' && exchange.method === 'GET' && Number(ranges?.length) <= MAX_PARTS)
    exchange.ranges = ranges;
}

/** Checks the tags that a push by digest makes (distribution-spec 1.2). */
function checkTags(tags: readonly string[]): void {
  if (tags.length > MAX_TAGS)
    throw new OciError('TAG_INVALID', `more than ${MAX_TAGS} tags in one push`, { status: 414 });
  if (!tags.every(isTag)) throw new OciError('TAG_INVALID');
}

/**
 * Refuses a manifest whose length is announced and too large. A manifest of unknown length is counted while it is
 * forwarded.
 */
function checkLength({ headers }: Exchange, { config }: Uses<'config'>, { kind, method }: RegistryRequest): void {
  const most = config.limits.manifestBytes;
  if (kind === 'manifest' && method === 'PUT' && Number(headers['content-length'] ?? 0) > most)
    throw new OciError('SIZE_INVALID', `the manifest is larger than ${most} bytes`);
}

/** Refuses a body where none is expected: requests are smuggled past proxies in such bodies. */
function refuseBody({ method, hasBody }: Exchange): void {
  if (BODILESS.has(method) && hasBody)
    throw new OciError('UNSUPPORTED', `a ${method} request must not have a body`, { status: 400 });
}

function hostOf({ authority }: Exchange): string {
  const host = /^(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.exec(authority)?.[1];
  if (!host) throw new OciError('NAME_INVALID', 'missing or malformed Host');
  return host.toLowerCase();
}

function registryOfHost({ transport }: Exchange, context: Uses<'names' | 'routes'>, host: string): string | undefined {
  if (isLocalName(transport, host)) return undefined;
  return registryNamed(context, host, `${host} is not a name of this registry`, 421);
}

/**
 * The registry that containerd names in `ns=`. An unknown one is refused: falling through to another registry would
 * let anybody claim its names, so the operator decides (`hosts.nsFallback`).
 */
function registryOfNamespace(context: Uses<'names' | 'routes'>, namespace: string): string | undefined {
  return registryNamed(context, hostNamed(namespace), 'this registry is no mirror of the one that ns= names', 404);
}

/** Empty: none. */
function hostNamed(namespace: string): string {
  // Some other letters become ASCII in lower case. The value is repeated in a header.
  const isHost = /^[\x21-\x7e]*$/.test(namespace);
  return isHost ? namespace.toLowerCase().replace(/:\d{1,5}$/, '') : '';
}

function isServed({ names, routes }: Uses<'names' | 'routes'>, name: string): boolean {
  return names.has(name) || routes.some(({ registry }) => registry === name);
}

function registryNamed(
  { names, routes }: Uses<'names' | 'routes'>,
  name: string,
  refusal: string,
  status: number,
): string | undefined {
  if (names.has(name)) return undefined;
  if (routes.some((route) => route.registry === name)) return name;
  throw new OciError('NAME_UNKNOWN', refusal, { status });
}

/** Names by which clients may call the edge itself. */
export function ownNames({ hostname, aliases }: Config): Set<string> {
  return new Set([hostname, ...aliases].map((name) => bracketed(name.toLowerCase())));
}

function bracketed(name: string): string {
  return name.includes(':') && !name.startsWith('[') ? `[${name}]` : name;
}

/** Refuses a path that an upstream might read as one of the registry API, past all checks of that API. */
function refuseDisguise(path: string): void {
  let decoded = path;
  for (let round = 0; round < 3; round += 1) {
    const plain = /[\x00-\x1f\x7f]|\\|\/\/|(^|\/)\.{1,2}(\/|;|$)/;
    if (plain.test(decoded) || /^\/v2(\/|;|$)/i.test(decoded)) throw new OciError('NAME_INVALID', 'malformed path');
    const next = decodeOnce(decoded);
    if (next === decoded) return;
    decoded = next;
  }
  // No honest client encodes a path so often.
  throw new OciError('NAME_INVALID', 'malformed path');
}

function decodeOnce(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
