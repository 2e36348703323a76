import type { UpstreamConfig } from '../../config/schema.ts';
import { DID } from '../../failover/conclude.ts';
import { type Candidate, type Route, toUpstream } from '../../failover/rewrite.ts';
import { imageName } from '../../oci/reference.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { Uses } from '../proxy-context.ts';
import type { AttemptResult } from '../pull/attempt-result.ts';
import { foundDigest, lookAtManifest } from '../pull/manifest-look.ts';

/** What one upstream of a route says of an image now. */
export interface ImageLook {
  upstream: string;
  url: string;
  /** The image by its name at the upstream. */
  as: string;
  /** Whether the question had credentials of the edge's own. */
  credentials: 'own' | 'none';
  /** `unknown`: the upstream could not be asked, does not answer well, or does not show the image to the edge. */
  says: 'has' | 'lacks' | 'unknown';
  /** Absent: there is none, or the upstream does not tell it. */
  digest?: string;
  /** It lacks the image, and its canary confirms that. */
  confirmed?: true;
  /** The upstream decides by the credentials of clients, and shows the image to no client without any. */
  hidden?: true;
  /** In words, what was answered. */
  why: string;
  /** Milliseconds until the answer. */
  ms: number;
}

/** Asks every upstream of the route for the manifest, at the same time. Never rejects. */
export function lookEverywhere(
  context: Uses<'upstreams'>,
  route: Route,
  repository: string,
  reference: string,
): Promise<ImageLook[]> {
  const candidates = new Map([...route.pull, ...(route.push ? [route.push] : [])].map((one) => [one.upstream, one]));
  const looks = [...candidates.values()].map((candidate) => look(context, route, candidate, { repository, reference }));
  return Promise.all(looks).then((found) => found.flat());
}

async function look(
  { upstreams }: Uses<'upstreams'>,
  route: Route,
  candidate: Candidate,
  image: { repository: string; reference: string },
): Promise<ImageLook[]> {
  const upstream = upstreams.get(candidate.upstream);
  const url = upstream && bestUrl(upstream);
  if (!upstream || url === undefined) return [];
  const there = {
    upstream: upstream.name,
    repository: toUpstream(route, candidate, image.repository),
    tag: image.reference,
  };
  const own = upstream.ownConnection(url) !== undefined && upstream.config.credentials !== 'none';
  const began = performance.now();
  const said = await ask(upstream, url, there).catch((error: unknown) => ({
    says: 'unknown' as const,
    why: `the edge could not ask: ${error instanceof Error ? error.message : String(error)}`,
  }));
  const as = imageName(there.repository, there.tag);
  const ms = Math.round(performance.now() - began);
  return [{ upstream: upstream.name, url, as, credentials: own ? 'own' : 'none', ...said, ms }];
}

type Said = Pick<ImageLook, 'says' | 'digest' | 'confirmed' | 'hidden' | 'why'>;

async function ask(upstream: Upstream, url: string, there: Parameters<typeof lookAtManifest>[2]): Promise<Said> {
  const ms = upstream.config.deadlines.manifest;
  const result = await lookAtManifest(upstream, url, there, { ms });
  if (result.outcome !== 'served')
    return saidInstead(upstream.config, upstream.ownConnection(url) !== undefined, result);
  const digest = foundDigest(there, result);
  if (digest !== undefined) return { says: 'has', digest, why: `it answers ${result.answer.status}` };
  // Some registries tell no digest in the answer to a HEAD.
  const whole = await lookAtManifest(upstream, url, there, { ms, method: 'GET' });
  const computed = whole.outcome === 'served' ? foundDigest(there, whole) : undefined;
  return {
    says: 'has',
    ...(computed === undefined ? {} : { digest: computed }),
    why: 'it answers, and tells no digest',
  };
}

/** What an upstream said that does not show the image. */
function saidInstead(config: UpstreamConfig, own: boolean, result: AttemptResult): Said {
  if (result.outcome === 'failed') return { says: 'unknown', why: `it ${DID[result.reason]} (${result.detail})` };
  const hides = config.credentials === 'forward' && !own;
  if (result.outcome === 'absent' && hides)
    return { says: 'unknown', hidden: true, why: 'it answers 404 without credentials, which may hide the image' };
  if (result.outcome === 'absent')
    return result.confirmed
      ? { says: 'lacks', confirmed: true, why: 'it answers 404, and its canary is good' }
      : { says: 'lacks', why: 'it answers 404, and no canary confirms that' };
  const why = `it answers ${result.answer.status}`;
  return hides ? { says: 'unknown', hidden: true, why: `${why} without credentials` } : { says: 'unknown', why };
}

/** A URL that is up, if there is one. */
function bestUrl(upstream: Upstream): string | undefined {
  const { replicas } = upstream.view();
  const up = replicas.filter(({ state }) => state === 'up');
  return (up.find(({ suspected }) => !suspected) ?? up[0] ?? replicas[0])?.url;
}
