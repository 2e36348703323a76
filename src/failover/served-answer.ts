import type { ContentKind } from '../oci/answer-content.ts';
import { isManifestType, mediaTypeOf } from '../oci/manifest-type.ts';
import { answersRange } from '../oci/range.ts';
import { isDigest, isDigestOf } from '../oci/reference.ts';

/** The request as an upstream got it, and the head of its answer. */
export interface ServedFacts {
  content: ContentKind;
  method: string;
  /** The Range header that was sent. */
  range: string | undefined;
  /** The caller checks which bytes a 206 has, and can skip some. */
  anyRange: boolean;
  /** A condition was sent, such as If-None-Match. */
  conditional: boolean;
  /** The digest that the request names. */
  digest: string | undefined;
  status: number;
  contentType: string | undefined;
  contentRange: string | undefined;
  contentLength: number | undefined;
  /** Docker-Content-Digest. */
  toldDigest: string | undefined;
  /** The answer came from the target of a redirect, not from the registry. */
  redirected: boolean;
}

export interface Misfit {
  reason: 'malformed' | 'digest';
  /** What the upstream did, as the end of a sentence about it. */
  detail: string;
}

/**
 * Whether the answer to the HEAD of a manifest has to be completed by a GET. Artifact Registry has answered 405 (harbor#22021). Other
 * registries leave out the length or the digest, which clients need. The signature of a redirect may be for GET alone.
 */
export function saysTooLittle({
  status,
  redirected,
  contentLength,
  toldDigest,
}: Pick<ServedFacts, 'status' | 'redirected' | 'contentLength' | 'toldDigest'>): boolean {
  if (status === 200) return !contentLength || toldDigest === undefined;
  return status === 405 || (redirected && status >= 400 && status < 500);
}

const WEB_PAGE = /^(text\/html|application\/xhtml\+xml)$/;
const NO_BYTES = new Uint8Array();

/**
 * Why an answer with a good status cannot be what was asked for. A captive portal, a maintenance page and a broken cache answer with 2xx,
 * too. Undefined: the head fits.
 */
export function misfit(facts: ServedFacts): Misfit | undefined {
  return wrongStatus(facts) ?? (facts.content === 'ping' ? undefined : (wrongType(facts) ?? wrongDigest(facts)));
}

function wrongStatus({ status, method, range, conditional, ...facts }: ServedFacts): Misfit | undefined {
  if (status === 200) return undefined;
  if (status === 304) return conditional ? undefined : malformed('it answers 304 to a request without a condition');
  if (status !== 206) return malformed(`it answers ${status} to a ${method}`);
  if (range === undefined) return malformed('it answers 206 to a request without Range');
  if (facts.anyRange || answersRange(range, facts.contentRange, facts.contentLength)) return undefined;
  return malformed(`it answers "${range}" with "${facts.contentRange ?? 'no Content-Range'}"`);
}

function wrongType({ content, method, status, contentType, toldDigest, redirected }: ServedFacts): Misfit | undefined {
  // A 304 has no content, and often no type.
  if (status === 304) return undefined;
  const type = mediaTypeOf(contentType);
  if (WEB_PAGE.test(type)) return malformed('it answers with a web page');
  if (content !== 'manifest') return undefined;
  const isManifest = isManifestType(type);
  // Without a body to look at, the digest has to show that this is a registry. Storage behind a redirect does not know it.
  const bare = method === 'HEAD' && toldDigest === undefined && !redirected;
  if (isManifest === 'no' || (isManifest === 'perhaps' && bare))
    return malformed(`its answer has the type "${type}", which is no manifest's`);
  return undefined;
}

function wrongDigest({ content, method, status, digest, toldDigest, contentLength }: ServedFacts): Misfit | undefined {
  if (toldDigest !== undefined && !isDigest(toldDigest)) return wrong('it names a digest that is none');
  if (digest === undefined) return undefined;
  // A registry may name the same content by another algorithm.
  if (toldDigest !== undefined && toldDigest !== digest && algorithmOf(toldDigest) === algorithmOf(digest))
    return wrong(`it says that ${digest} is ${toldDigest}`);
  const empty = content === 'blob' && method === 'GET' && status === 200 && contentLength === 0;
  return empty && isDigestOf(digest, NO_BYTES) === false ? wrong(`it has no bytes for ${digest}`) : undefined;
}

function algorithmOf(digest: string): string | undefined {
  return digest.split(':')[0];
}

function malformed(detail: string): Misfit {
  return { reason: 'malformed', detail };
}

function wrong(detail: string): Misfit {
  return { reason: 'digest', detail };
}
