import { isDigest } from '../oci/reference.ts';
import { LabError } from './error.ts';
import type { Exchange } from './exchange.ts';
import type { UploadSession } from './store.ts';

/** POST `blobs/uploads/`: a mount, a whole blob, or the start of a session. `mountable` says which repository may be mounted from. */
export async function startUpload(
  exchange: Exchange,
  repository: string,
  mountable: (from: string) => boolean,
): Promise<void> {
  const { query } = exchange;
  const mount = query.get('mount');
  if (mount && mounted(exchange, repository, mount, query.get('from'), mountable))
    return created(exchange, repository, mount);
  const digest = query.get('digest');
  const session = exchange.store.openSession(repository);
  if (digest && exchange.behaviour.uploads === 'registry') {
    await append(exchange, session);
    return finish(exchange, session, digest);
  }
  exchange.reply(202, sessionHeaders(exchange, session));
}

function mounted(
  { store }: Exchange,
  repository: string,
  digest: string,
  from: string | null,
  mountable: (from: string) => boolean,
): boolean {
  const sources = from === null ? [...store.repositories.keys()] : [from];
  const found = sources.some((source) => store.blob(source, digest) && mountable(source));
  if (found) store.repository(repository).blobs.add(digest);
  return found;
}

/** PATCH, PUT, GET, HEAD and DELETE of a session. */
export async function continueUpload(exchange: Exchange, session: UploadSession): Promise<void> {
  const { method, headers } = exchange.req;
  if (method === 'GET' || method === 'HEAD') return exchange.reply(204, sessionHeaders(exchange, session));
  if (session.busy) throw new LabError(409, 'BLOB_UPLOAD_INVALID', 'another request is adding to this upload');
  if (method === 'DELETE') {
    exchange.store.dropSession(session);
    return exchange.reply(204);
  }
  // The one PATCH with the whole blob that docker and containers/image send is taken; chunks are not.
  const chunked = headers['content-range'] !== undefined || session.length > 0;
  if (method === 'PATCH' && chunked && exchange.behaviour.uploads === 'artifact-registry')
    throw new LabError(405, 'UNSUPPORTED', 'chunked uploads are not supported', { allow: 'PUT' });
  const digest = exchange.query.get('digest') ?? '';
  if (method === 'PUT' && !isDigest(digest))
    throw new LabError(400, 'DIGEST_INVALID', 'digest is missing or malformed');
  checkPlace(exchange, session, headers['content-range']);
  await append(exchange, session);
  if (method === 'PUT') return finish(exchange, session, digest);
  exchange.reply(202, sessionHeaders(exchange, session));
}

/** Finds a session by what follows `uploads/`; outside `/v2/` it alone says which repository it is for. */
export function sessionOf({ store, behaviour, query }: Exchange, id: string, repository?: string): UploadSession {
  const session = store.sessions.get(id);
  const state = behaviour.uploads === 'artifact-registry' ? session?.state : query.get('_state');
  if (!session || session.state !== state || (repository !== undefined && session.repository !== repository))
    throw new LabError(404, 'BLOB_UPLOAD_UNKNOWN', 'blob upload unknown to registry');
  return session;
}

/** A chunk begins where the last one ended. Not a byte range: no unit, no total (distribution-spec v1.1.1 "Pushing a blob in chunks"). */
function checkPlace(exchange: Exchange, session: UploadSession, range: string | undefined): void {
  if (range === undefined) return;
  const [, first, last] = /^(\d{1,15})-(\d{1,15})$/.exec(range) ?? [];
  const length = exchange.req.headers['content-length'];
  const fits = length === undefined || Number(last) - Number(first) + 1 === Number(length);
  if (first !== undefined && Number(first) === session.length && fits) return;
  throw new LabError(
    416,
    'BLOB_UPLOAD_INVALID',
    `the next chunk begins at ${session.length}`,
    sessionHeaders(exchange, session),
  );
}

async function append(exchange: Exchange, session: UploadSession): Promise<void> {
  const { store, req } = exchange;
  if (Number(req.headers['content-length'] ?? 0) > store.maxBytes)
    throw new LabError(413, 'SIZE_INVALID', `the lab keeps ${store.maxBytes} bytes`);
  session.busy = true;
  try {
    for await (const chunk of exchange.body()) store.append(session, chunk);
  } finally {
    session.busy = false;
  }
}

function finish(exchange: Exchange, session: UploadSession, digest: string): void {
  if (!exchange.store.commit(session, digest))
    throw new LabError(400, 'DIGEST_INVALID', 'provided digest did not match uploaded content');
  created(exchange, session.repository, digest);
}

function created(exchange: Exchange, repository: string, digest: string): void {
  exchange.reply(201, {
    location: exchange.locate(`/v2/${repository}/blobs/${digest}`),
    'docker-content-digest': digest,
  });
}

function sessionHeaders(exchange: Exchange, { id, state, repository, length }: UploadSession): Record<string, string> {
  const outside = exchange.behaviour.uploads === 'artifact-registry';
  return {
    location: outside
      ? `/artifacts-uploads/namespaces/lab/repositories/lab/uploads/${id}`
      : exchange.locate(`/v2/${repository}/blobs/uploads/${id}?_state=${state}`),
    // Nothing yet is 0-0 as well, as distribution has it.
    range: `0-${Math.max(0, length - 1)}`,
    'docker-upload-uuid': id,
  };
}
