import { EDGE } from '../../failover/failure-evidence.ts';
import type { Attempt } from '../../failover/plan.ts';
import type { UpstreamTag } from '../../ledger/upstream-tag.ts';
import { EVERY_MANIFEST } from '../../oci/manifest-type.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { answerDigest } from './answer-digest.ts';
import { attemptRead } from './attempt.ts';
import type { AttemptResult, UpstreamRead } from './attempt-result.ts';

export interface LookOptions {
  /** The client's own, used only where the edge has no credentials of its own. */
  authorization?: string | undefined;
  /** Milliseconds for the answer. */
  ms: number;
  /** Default: HEAD, which costs the upstream less. */
  method?: 'GET' | 'HEAD';
}

/** The most bytes of a manifest that is read whole. */
const MAX_MANIFEST = 4_194_304;

/**
 * Asks an upstream for a manifest by its name there, with every type of manifest in `Accept`, and the edge's own credentials where it has
 * some. @throws an error of the edge itself
 */
export async function lookAtManifest(
  upstream: Upstream,
  url: string,
  { repository, tag }: UpstreamTag,
  { authorization, ms, method = 'HEAD' }: LookOptions,
): Promise<AttemptResult> {
  const own = upstream.ownConnection(url) !== undefined;
  const candidate = { upstream: upstream.name, prefix: '', replicate: false };
  const asked = { upstream: upstream.name, url, repository, client: EDGE, candidate };
  const attempt: Attempt = { ...asked, class: 'control', why: 'a look' };
  const read: UpstreamRead = {
    method,
    content: 'manifest',
    path: `/v2/${repository}/manifests/${tag}`,
    headers: { accept: EVERY_MANIFEST, 'accept-encoding': 'identity' },
    scopes: [`repository:${repository}:pull`],
    clientAuthorization: own ? undefined : authorization,
    own,
    wholeUpTo: MAX_MANIFEST,
    digest: tag.includes(':') ? tag : undefined,
    keepAlive: true,
    redirects: 'follow',
  };
  return attemptRead(upstream, attempt, read, { ms, ignoreCanary: false }, new AbortController());
}

/** The digest that a look found; undefined: the upstream does not tell it. */
export function foundDigest(
  { tag }: UpstreamTag,
  result: Extract<AttemptResult, { answer: unknown }>,
): string | undefined {
  return tag.includes(':') ? tag : answerDigest(result);
}
