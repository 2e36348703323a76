import { setTimeout as sleep } from 'node:timers/promises';
import type { RegistryRequest } from '../oci/request.ts';
import type { Scope } from '../oci/scope.ts';
import type { Access } from './access.ts';
import { serveBlob } from './blob.ts';
import { downloadPath, type Endpoint } from './endpoint.ts';
import { LabError } from './error.ts';
import type { Exchange } from './exchange.ts';
import type { FaultParameters } from './fault.ts';
import { serveHarbor } from './harbor.ts';
import { serveCatalog, serveReferrers, serveTags } from './listing.ts';
import { dropManifest, serveManifest, takeManifest } from './manifest.ts';
import type { Store } from './store.ts';
import { continueUpload, sessionOf, startUpload } from './upload.ts';

export interface Site {
  access: Access;
  /** Whether Harbor's own paths are served. */
  harbor: boolean;
  /** What the registry finds, and writes to, when its storage is not mounted. */
  mountPoint: Store;
}

/** Answers one request; faults come in the order in which a real registry would run into them. */
export async function serve(
  { access, harbor, mountPoint }: Site,
  exchange: Exchange,
  endpoint: Endpoint,
): Promise<void> {
  await exchange.hold('frozen');
  if (exchange.gone) return;
  if (endpoint.kind === 'invalid') throw endpoint.error;
  if (endpoint.kind === 'token' || endpoint.kind === 'api' || endpoint.kind === 'ui') {
    await late(exchange);
    if (exchange.gone) return;
    if (endpoint.kind === 'token') return access.issue(exchange);
    if (!harbor) throw new LabError(404, 'NOT_FOUND', 'no such page');
    return serveHarbor(exchange, access);
  }
  if (exchange.takeFault('emptyChallenge401'))
    throw new LabError(401, 'UNAUTHORIZED', 'unauthorized', { 'www-authenticate': '' });
  if (endpoint.kind === 'download') {
    if (exchange.req.headers.authorization !== undefined)
      throw new LabError(400, 'UNSUPPORTED', 'only one auth mechanism is allowed: the URL itself grants the download');
  } else if (harbor && exchange.takeFault('databaseDown')) access.demandWithoutDatabase(exchange, endpoint.kind);
  else access.demand(exchange, scopeOf(exchange, endpoint));
  await faulty(exchange, endpoint);
  if (exchange.gone) return;
  if (exchange.takeFault('storageGone')) exchange.store = mountPoint;
  if (endpoint.kind === 'download') return download(exchange, endpoint.digest);
  if ('session' in endpoint) return continueUpload(exchange, sessionOf(exchange, endpoint.session));
  return serveRegistry(access, exchange, endpoint.request);
}

/** What a request must be permitted; `undefined` for the ping, which only asks who it is. */
function scopeOf(exchange: Exchange, endpoint: Endpoint): Scope | undefined {
  const actions = actionsOf(exchange.req.method ?? '', endpoint.kind);
  if ('session' in endpoint) {
    const session = exchange.store.sessions.get(endpoint.session);
    return session && { type: 'repository', name: session.repository, actions };
  }
  const { request } = endpoint;
  if (request?.kind === 'catalog') return { type: 'registry', name: 'catalog', actions: ['*'] };
  return request && 'repository' in request ? { type: 'repository', name: request.repository, actions } : undefined;
}

function actionsOf(method: string, kind: Endpoint['kind']): string[] {
  if (kind === 'upload') return ['pull', 'push'];
  if (method === 'DELETE') return ['delete'];
  return method === 'GET' || method === 'HEAD' ? ['pull'] : ['pull', 'push'];
}

async function faulty(exchange: Exchange, endpoint: Endpoint): Promise<void> {
  const { method = '' } = exchange.req;
  if (!['GET', 'HEAD'].includes(method) && exchange.takeFault('readOnly'))
    throw new LabError(403, 'DENIED', 'The system is in read only mode. Any modification is prohibited.');
  const limited = exchange.takeFault('rateLimited');
  if (limited)
    throw new LabError(429, 'TOOMANYREQUESTS', 'too many requests', {
      'retry-after': String(limited.parameters.retryAfter ?? 5),
    });
  const failing = exchange.takeFault('errors');
  if (failing) throw failure(failing.parameters);
  await late(exchange);
  // A new upload touches no file yet: distribution answers it even when storage hangs.
  if (endpoint.kind === 'upload' && method === 'POST') return;
  await exchange.hold('storageHung');
}

async function late(exchange: Exchange): Promise<void> {
  const fault = exchange.takeFault('delay');
  if (fault) await Promise.race([sleep(fault.parameters.ms ?? 1000), exchange.closed]);
}

function failure({ status = 500, retryAfter, body }: FaultParameters): LabError {
  const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
  return new LabError(status, 'UNKNOWN', 'switched so in the lab', headers, body);
}

async function serveRegistry(access: Access, exchange: Exchange, request: RegistryRequest): Promise<void> {
  const { method } = request;
  const pullable = (name: string) => access.allows(exchange, { type: 'repository', name, actions: ['pull'] });
  switch (request.kind) {
    case 'ping':
      return exchange.json(200, {});
    case 'catalog':
      return serveCatalog(exchange);
    case 'tags':
      return serveTags(exchange, request.repository);
    case 'referrers':
      return serveReferrers(exchange, request.repository, request.digest);
    case 'upload-start':
      return startUpload(exchange, request.repository, pullable);
    case 'upload':
      return continueUpload(exchange, sessionOf(exchange, request.session, request.repository));
    case 'manifest':
      if (method === 'PUT') return takeManifest(exchange, request.repository, request.reference);
      if (method === 'DELETE') return dropManifest(exchange, request.repository, request.reference);
      return serveManifest(exchange, request.repository, request.reference);
    case 'blob':
      return blob(exchange, request.repository, request.digest);
  }
}

async function blob(exchange: Exchange, repository: string, digest: string): Promise<void> {
  const { store, req, behaviour } = exchange;
  const bytes = store.blob(repository, digest);
  if (!bytes) throw new LabError(404, 'BLOB_UNKNOWN', 'blob unknown to registry');
  if (req.method === 'DELETE') {
    store.removeBlob(repository, digest);
    return exchange.reply(202);
  }
  if (req.method === 'GET' && behaviour.downloads === 'redirect') {
    const base = behaviour.redirectTo?.replace(/\/$/, '') ?? '';
    return exchange.reply(302, { location: base + downloadPath(digest) });
  }
  await serveBlob(exchange, digest, bytes);
}

async function download(exchange: Exchange, digest: string): Promise<void> {
  const bytes = exchange.store.blobs.get(digest);
  if (!bytes) throw new LabError(404, 'BLOB_UNKNOWN', 'no such download');
  if (!['GET', 'HEAD'].includes(exchange.req.method ?? '')) throw new LabError(405, 'UNSUPPORTED', 'GET and HEAD only');
  await serveBlob(exchange, digest, bytes);
}
