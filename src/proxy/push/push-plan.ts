import { readClocks } from '../../clock/clock.ts';
import { type Attempt, planPush, sessionUrl } from '../../failover/plan.ts';
import type { Route } from '../../failover/rewrite.ts';
import { OciError } from '../../oci/error.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { nameOnUpstream } from '../request/repository-names.ts';

export type WriteRequest = Exclude<RegistryRequest, { kind: 'ping' | 'catalog' | 'tags' | 'referrers' }>;

export interface PushPlan {
  route: Route;
  request: WriteRequest;
  attempt: Attempt;
  upstream: Upstream;
  /** Path and query on the upstream's host. */
  path: string;
  scopes: string[];
}

/**
 * Stage 3 of a push: exactly one attempt, at the push upstream, or a refusal.
 * @throws OciError DENIED, BLOB_UPLOAD_UNKNOWN
 */
export async function planWrite(
  exchange: Exchange,
  context: Uses<'routes' | 'sealer' | 'turn' | 'upstreams' | 'views'>,
  route: Route,
  request: WriteRequest,
): Promise<PushPlan> {
  const { requester } = exchange;
  const planned = planPush(route, request.repository, context.views(), context.turn(), readClocks(), requester);
  const upstream = context.upstreams.get(planned.upstream);
  if (!upstream) throw new OciError('UNKNOWN', `no upstream ${planned.upstream}`);
  const scopes = [
    `repository:${planned.repository}:${request.method === 'DELETE' && request.kind !== 'upload' ? 'delete' : 'pull,push'}`,
  ];
  const plan = { route, request, upstream, scopes };
  if (request.kind === 'upload') {
    const sealed = await openSession(context, upstream, request);
    const url = sessionUrl(sealed.url, planned, upstream.view(), readClocks().monotonic);
    return { ...plan, attempt: { ...planned, url }, path: sessionPath(sealed, url, request) };
  }
  const base = basePath(planned.url);
  const query = pushQuery(exchange, context, planned.upstream, request, scopes);
  return { ...plan, attempt: planned, path: `${base}/v2/${planned.repository}/${endOf(request)}${query}` };
}

async function openSession(
  context: Uses<'sealer'>,
  upstream: Upstream,
  request: Extract<WriteRequest, { kind: 'upload' }>,
): Promise<{ url: string; path: string }> {
  const sealed = await context.sealer.open(request.session, 'upload');
  const known =
    sealed?.repository === request.repository &&
    sealed.upstream === upstream.name &&
    upstream.replica(sealed.url) !== undefined;
  if (!sealed || !known) throw new OciError('BLOB_UPLOAD_UNKNOWN');
  return sealed;
}

/** Path and query of a request to a session, at the URL where it goes on. */
function sessionPath(sealed: { url: string; path: string }, url: string, request: WriteRequest): string {
  const [from, to] = [basePath(sealed.url), basePath(url)];
  const path = sealed.path.startsWith(`${from}/`) ? to + sealed.path.slice(from.length) : sealed.path;
  const query = new URLSearchParams(request.query);
  query.delete('ns');
  const separator = path.includes('?') ? '&' : '?';
  return query.size > 0 ? `${path}${separator}${query}` : path;
}

function basePath(url: string): string {
  return new URL(url).pathname.replace(/\/+$/, '');
}

function endOf(request: Exclude<WriteRequest, { kind: 'upload' }>): string {
  if (request.kind === 'upload-start') return 'blobs/uploads/';
  return request.kind === 'manifest' ? `manifests/${request.reference}` : `blobs/${request.digest}`;
}

/**
 * The query in the upstream's names. A mount from a repository that lies on another upstream becomes an ordinary upload. So does a mount
 * that names no repository: the upstream would take the blob from any repository, also from one that is hidden from the client.
 */
function pushQuery(
  { registry }: Exchange,
  context: Uses<'routes'>,
  upstream: string,
  request: WriteRequest,
  scopes: string[],
): string {
  const query = new URLSearchParams(request.query);
  query.delete('ns');
  const [mount, from] = [query.get('mount'), query.get('from')];
  const name = mount === null || from === null ? undefined : nameOnUpstream(context, registry, upstream, from);
  query.delete('mount');
  query.delete('from');
  if (mount !== null && name !== undefined) {
    query.set('mount', mount);
    query.set('from', name);
    scopes.push(`repository:${name}:pull`);
  }
  return query.size > 0 ? `?${query}` : '';
}
