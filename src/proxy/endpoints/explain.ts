import { type ClockReading, isoTime, readClocks } from '../../clock/clock.ts';
import { lossText } from '../../failover/lost-content.ts';
import { EVERY_UPSTREAM, planPull, planPush } from '../../failover/plan.ts';
import { findRoute, type Route, toUpstream } from '../../failover/rewrite.ts';
import { authorityOf } from '../../failover/stale-tag.ts';
import type { UpstreamView } from '../../failover/view.ts';
import { upstreamTag } from '../../ledger/upstream-tag.ts';
import { OciError } from '../../oci/error.ts';
import { isReference, isRepository } from '../../oci/reference.ts';
import type { Uses } from '../proxy-context.ts';

export interface Explanation {
  repository: string;
  reference: string;
  registry?: string;
  route: string;
  /** What the ledger knows of the tag; absent where it knows nothing, or the reference is a digest. */
  ledger?: LedgerWord;
  /** Upstreams whose copy of the blob with this digest has wrong bytes. */
  corrupt?: string[];
  /** Content that the authoritative upstream has lost, so that this tag is served as the ledger knows it. Absent: it has lost none. */
  lost?: string;
  /** Attempts of a pull of the manifest, in order. */
  pull: { upstream: string; url: string; as: string; why: string }[];
  /** What would happen to a push. */
  push: { upstream?: string; as?: string; admitted: boolean; why: string };
}

/** The plan is that of a client that has met no failure. */
const NO_CLIENT = '';

/** Times are ISO 8601 in UTC. */
export interface LedgerWord {
  /** The authoritative upstream. */
  upstream: string;
  /** The digest that the upstream last showed. Null: it has no such tag. */
  digest: string | null;
  /** When this was first seen. */
  since: string;
  /** When this was last seen. */
  confirmedAt: string;
  /** All known states, newest first. */
  states: { digest: string | null; confirmedAt: string }[];
}

/**
 * What would happen to a request for this image now.
 * @param image `library/app:1.2`, `library/app@sha256:…`; with the edge's own host name or a route's `registry` in front if need be
 * @throws OciError NAME_INVALID, NAME_UNKNOWN
 */
export function explain(context: Uses<'copies' | 'ledger' | 'names' | 'routes' | 'views'>, image: string): Explanation {
  const { registry, repository, reference } = splitImage(context, image);
  const route = findRoute(context.routes, registry, repository);
  const prefixes = context.routes.map(({ prefix }) => `"${prefix}"`).join(', ');
  if (!route) throw new OciError('NAME_UNKNOWN', `no route leads to ${repository}; prefixes are ${prefixes}`);
  const views = context.views();
  const now = readClocks();
  const input = {
    route,
    repository,
    class: 'control',
    blobHead: false,
    forPush: false,
    visible: EVERY_UPSTREAM,
    client: NO_CLIENT,
  } as const;
  const isDigest = reference.includes(':');
  const end = (isDigest ? '@' : ':') + reference;
  const known = isDigest ? corruptCopies(context, route, reference) : ledgerWord(context, route, repository, reference);
  return {
    repository,
    reference,
    ...(registry === undefined ? {} : { registry }),
    route: route.prefix,
    ...known,
    ...lossOf(route, views, now),
    pull: planPull(input, views, 0, now.monotonic).map(({ upstream, url, repository: name, why }) => ({
      upstream,
      url,
      as: name + end,
      why,
    })),
    push: explainPush(route, repository, end, views, now),
  };
}

function ledgerWord(
  context: Uses<'ledger'>,
  route: Route,
  repository: string,
  tag: string,
): Pick<Explanation, 'ledger'> {
  const place = upstreamTag(route, repository, tag);
  const history = (place && context.ledger.find(place)) ?? [];
  const [newest] = history;
  if (!place || !newest) return {};
  const states = history.map(({ digest, confirmedAt }) => ({ digest, confirmedAt: isoTime(confirmedAt) }));
  const { digest, since, confirmedAt } = newest;
  return {
    ledger: { upstream: place.upstream, digest, since: isoTime(since), confirmedAt: isoTime(confirmedAt), states },
  };
}

function lossOf(route: Route, views: ReadonlyMap<string, UpstreamView>, now: ClockReading): Pick<Explanation, 'lost'> {
  const upstream = authorityOf(route)?.upstream ?? '';
  const lost = views.get(upstream)?.contentLost;
  return lost ? { lost: lossText(upstream, lost, now) } : {};
}

function corruptCopies(context: Uses<'copies'>, route: Route, digest: string): Pick<Explanation, 'corrupt'> {
  const corrupt = route.pull.map(({ upstream }) => upstream).filter((name) => context.copies.isCorrupt(name, digest));
  return corrupt.length > 0 ? { corrupt } : {};
}

function explainPush(
  route: Route,
  repository: string,
  end: string,
  views: ReadonlyMap<string, UpstreamView>,
  now: ClockReading,
): Explanation['push'] {
  const { push } = route;
  const where = push && { upstream: push.upstream, as: toUpstream(route, push, repository) + end };
  try {
    const { upstream } = planPush(route, repository, views, 0, now, NO_CLIENT);
    return { ...where, admitted: true, why: views.get(upstream)?.reason ?? '' };
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    return { ...where, admitted: false, why: error.message };
  }
}

/** The parts of an image's name. @throws OciError NAME_INVALID */
export function splitImage(
  context: Uses<'names' | 'routes'>,
  image: string,
): { registry: string | undefined; repository: string; reference: string } {
  const [first = '', ...rest] = image.split('/');
  const host = first.toLowerCase().replace(/:\d{1,5}$/, '');
  const own = context.names.has(host);
  const registry = context.routes.find((route) => route.registry === host)?.registry;
  const name = (own || registry !== undefined) && rest.length > 0 ? rest.join('/') : image;
  const at = name.indexOf('@');
  const colon = name.lastIndexOf(':');
  const split = at > 0 ? at : colon > name.lastIndexOf('/') ? colon : -1;
  const repository = split > 0 ? name.slice(0, split).replace(/:[^/]*$/, '') : name;
  const reference = split > 0 ? name.slice(split + 1) : 'latest';
  if (!isRepository(repository) || !isReference(reference))
    throw new OciError('NAME_INVALID', `"${image}" is not an image such as library/app:1.2`);
  return { registry, repository, reference };
}
