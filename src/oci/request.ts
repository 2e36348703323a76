import { OciError } from './error.ts';
import { isDigest, isReference, isRepository } from './reference.ts';

/** A parsed path of the registry API. `session` is the last part of an upload's path, which only its issuer understands. */
export type RegistryPath =
  | { kind: 'ping' }
  | { kind: 'catalog' }
  | { kind: 'manifest'; repository: string; reference: string }
  | { kind: 'blob'; repository: string; digest: string }
  | { kind: 'upload-start'; repository: string }
  | { kind: 'upload'; repository: string; session: string }
  | { kind: 'tags'; repository: string }
  | { kind: 'referrers'; repository: string; digest: string };

export type RegistryRequest = RegistryPath & { method: string; query: URLSearchParams };

const METHODS: Record<RegistryPath['kind'], readonly string[]> = {
  ping: ['GET', 'HEAD'],
  catalog: ['GET', 'HEAD'],
  manifest: ['GET', 'HEAD', 'PUT', 'DELETE'],
  blob: ['GET', 'HEAD', 'DELETE'],
  'upload-start': ['POST'],
  upload: ['GET', 'HEAD', 'PATCH', 'PUT', 'DELETE'],
  tags: ['GET', 'HEAD'],
  referrers: ['GET', 'HEAD'],
};
const MAX_SESSION = 12_288;
const NO_ENDPOINT = 'no such endpoint of the registry API';

/**
 * Parses a request of the registry API (distribution-spec v1.1.1 "Endpoints", and `_catalog`). Of the raw path, encoded slashes and colons are
 * decoded, once; some clients encode them. Everything after this sees the decoded names only. Any other encoding is malformed, so that no
 * name can be decoded a second time into another one.
 * @throws OciError NAME_INVALID, TAG_INVALID, DIGEST_INVALID, UNSUPPORTED, or 404 for an unknown endpoint
 */
export function parseRequest(method: string, path: string, query: URLSearchParams): RegistryRequest {
  const parsed = parsePath(method, decodeSeparators(path));
  const allowed = METHODS[parsed.kind];
  // Only the upstream knows what it takes.
  const isQuestion = method === 'OPTIONS' && parsed.kind !== 'upload';
  if (!allowed.includes(method) && !isQuestion) {
    throw new OciError('UNSUPPORTED', `${printable(method)} is not supported here`, {
      headers: { allow: allowed.join(', ') },
    });
  }
  return { ...parsed, method, query };
}

/** Only below `/v2/`: before, an encoded slash leads elsewhere. */
function decodeSeparators(path: string): string {
  if (!path.startsWith('/v2/') || !path.includes('%')) return path;
  return path.replaceAll(/%2f/gi, '/').replaceAll(/%3a/gi, ':');
}

function parsePath(method: string, path: string): RegistryPath {
  if (path === '/v2/' || path === '/v2') return { kind: 'ping' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  if (!path.startsWith('/v2/')) throw new OciError('NAME_UNKNOWN', NO_ENDPOINT);
  const parts = path.slice('/v2/'.length).split('/');
  // A repository may contain the components blobs, manifests and tags, so the path is read from the right.
  const [last = '', verb, before] = parts.toReversed();
  if (verb === 'uploads' && before === 'blobs') return uploadPath(parts, last);
  if (last === 'uploads' && verb === 'blobs')
    return { kind: 'upload-start', repository: repositoryOf(parts.slice(0, -2)) };
  if (verb === 'tags' && last === 'list') return { kind: 'tags', repository: repositoryOf(parts.slice(0, -2)) };
  if (verb === 'manifests') {
    const repository = repositoryOf(parts.slice(0, -2));
    if (!isReference(last)) throw malformedReference(method, last);
    return { kind: 'manifest', repository, reference: last };
  }
  if (verb === 'blobs' || verb === 'referrers') {
    const repository = repositoryOf(parts.slice(0, -2));
    if (!isDigest(last)) throw new OciError('DIGEST_INVALID');
    return { kind: verb === 'blobs' ? 'blob' : 'referrers', repository, digest: last };
  }
  throw new OciError('NAME_UNKNOWN', NO_ENDPOINT);
}

/** For a read, a malformed reference is an unknown manifest, as the conformance suite expects (GET .INVALID_MANIFEST_NAME). */
function malformedReference(method: string, reference: string): OciError {
  if (reference.includes(':')) return new OciError('DIGEST_INVALID');
  const message = 'invalid reference; expected a tag of at most 128 characters, or a digest';
  return method === 'GET' || method === 'HEAD'
    ? new OciError('MANIFEST_UNKNOWN', message)
    : new OciError('TAG_INVALID', message);
}

function uploadPath(parts: string[], session: string): RegistryPath {
  const repository = repositoryOf(parts.slice(0, -3));
  if (session === '') return { kind: 'upload-start', repository };
  // A URL parser would remove a segment of one or two dots.
  if (session.length > MAX_SESSION || !/^(?!\.{1,2}$)[A-Za-z0-9._~=-]+$/.test(session))
    throw new OciError('BLOB_UPLOAD_UNKNOWN');
  return { kind: 'upload', repository, session };
}

function repositoryOf(parts: string[]): string {
  const repository = parts.join('/');
  if (!isRepository(repository)) throw new OciError('NAME_INVALID');
  return repository;
}

function printable(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '?').slice(0, 32);
}
