import { createHash } from 'node:crypto';
import NodeCache from 'node-cache';
import { type AttemptEnding, conclude } from '../../failover/conclude.ts';
import type { Attempt } from '../../failover/plan.ts';
import { findRoute, type Route, toClient } from '../../failover/rewrite.ts';
import { nextPageQuery } from '../../oci/link.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { attemptRead } from '../pull/attempt.ts';
import { attemptRecord } from '../pull/attempt-result.ts';
import { planAttempts } from '../pull/pull.ts';
import { pullReply } from '../pull/pull-reply.ts';
import { outageOf } from '../pull/race.ts';
import { jsonReply, type Reply } from '../reply/reply.ts';
import { namespaceOf } from '../request/paths.ts';
import { repositoryKeyOf } from '../request/repository-key.ts';

interface Names {
  names: string[];
  upstreams: string[];
  /** The preferred upstreams that could not list their repositories, with the reason. */
  missing: string[];
}

type Listing = { names: string[] } | { refused: Reply } | { failed: AttemptEnding };

const FRESH_SECONDS = 10;
const MAX_KEYS = 32;
const MAX_NAMES = 100_000;
const MAX_PAGES = 200;
const UPSTREAM_PAGE = 1000;
const MAX_BODY = 4_194_304;
const DEFAULT_PAGE = 1000;
const MAX_PAGE = 10_000;
const TOTAL_MS = 9000;

/**
 * The catalog over all routes, in the client's names. The list of each route comes from the first of its upstreams
 * that answers. The lists are merged and sorted as a whole, because registries sort differently and renaming changes
 * the order. The merged list is kept for a few seconds, for the pages that follow.
 */
export class Catalog {
  readonly #cache = new NodeCache({
    useClones: false,
    stdTTL: FRESH_SECONDS,
    maxKeys: MAX_KEYS,
    checkperiod: FRESH_SECONDS,
  });

  async fetch(
    exchange: Exchange,
    context: ChallengeContext & Uses<'turn' | 'upstreams' | 'views'>,
    asked: { request: RegistryRequest; registry: string | undefined },
  ): Promise<Reply> {
    // Clients may see different repositories: the key has their credentials.
    const key = createHash('sha256')
      .update(`${asked.registry ?? ''}\n${exchange.clientAuthorization ?? ''}`)
      .digest('hex');
    const gathered = this.#cache.get<Names>(key) ?? (await this.#gather(exchange, context, asked));
    if ('status' in gathered) return gathered;
    if (this.#cache.keys().length >= MAX_KEYS) this.#cache.flushAll();
    this.#cache.set(key, gathered);
    return page(
      { ...gathered, names: visibleTo(exchange, context, asked.registry, gathered.names) },
      asked.request.query,
    );
  }

  close(): void {
    this.#cache.close();
  }

  async #gather(
    exchange: Exchange,
    context: ChallengeContext & Uses<'turn' | 'upstreams' | 'views'>,
    asked: { request: RegistryRequest; registry: string | undefined },
  ): Promise<Names | Reply> {
    const names = new Set<string>();
    const upstreams = new Set<string>();
    const missing = new Set<string>();
    const listings = new Map<string, Promise<Listing>>();
    for (const route of context.routes.filter((one) => one.registry === asked.registry)) {
      const endings: AttemptEnding[] = [];
      let listed = false;
      const authority = context.access?.authority;
      const attempts = planAttempts(exchange, context, route, `${route.prefix}any`, 'control', false).filter(
        ({ upstream }) => authority === undefined || upstream === authority,
      );
      for (const attempt of attempts) {
        const listing = await onceFor(listings, attempt, () => list(exchange, context, asked, attempt));
        if ('refused' in listing) return listing.refused;
        if ('failed' in listing) {
          endings.push(listing.failed);
          missing.add(`${attempt.upstream}: ${listing.failed.reason ?? 'failed'}`);
          continue;
        }
        addNames(names, context, route, attempt, listing.names);
        upstreams.add(attempt.upstream);
        if (attempt.upstream !== route.pull[0]?.upstream) missing.add(`${route.pull[0]?.upstream}: not available`);
        listed = true;
        break;
      }
      if (!listed)
        throw conclude(endings, 'NAME_UNKNOWN', {
          content: 'the catalog',
          outage: (name) => outageOf(context, name),
          now: Date.now(),
        });
    }
    return { names: [...names].sort(), upstreams: [...upstreams], missing: [...missing] };
  }
}

/** Where the edge checks who clients are, each client sees the repositories that it may pull. */
function visibleTo(
  { permit: { user } }: Exchange,
  context: Uses<'access' | 'routes'>,
  registry: string | undefined,
  names: string[],
): string[] {
  const { access, routes } = context;
  if (!access) return names;
  return names.filter(
    (name) =>
      user !== undefined &&
      access.may(user, repositoryKeyOf(registry, name, findRoute(routes, registry, name), access.authority), 'pull'),
  );
}

function onceFor(
  listings: Map<string, Promise<Listing>>,
  attempt: Attempt,
  start: () => Promise<Listing>,
): Promise<Listing> {
  const listing = listings.get(attempt.url) ?? start();
  listings.set(attempt.url, listing);
  return listing;
}

function addNames(
  names: Set<string>,
  context: Uses<'routes'>,
  route: Route,
  attempt: Attempt,
  found: readonly string[],
): void {
  for (const name of found) {
    const own = toClient(context.routes, route, attempt.candidate, name);
    if (own !== undefined && names.size < MAX_NAMES) names.add(own);
  }
}

/** The whole catalog of one upstream, page by page. */
async function list(
  exchange: Exchange,
  context: ChallengeContext & Uses<'upstreams' | 'views'>,
  asked: { request: RegistryRequest; registry: string | undefined },
  attempt: Attempt,
): Promise<Listing> {
  const names: string[] = [];
  let query: URLSearchParams | undefined = new URLSearchParams({ n: String(UPSTREAM_PAGE) });
  for (let count = 0; query && count < MAX_PAGES && names.length < MAX_NAMES; count += 1) {
    const result = await readPage(exchange, context, attempt, query);
    if (result.outcome === 'failed')
      return { failed: { upstream: attempt.upstream, outcome: 'failed', reason: result.reason } };
    if (result.outcome === 'absent') return { names };
    if (result.outcome !== 'served')
      return { refused: await pullReply(exchange, context, asked, { ...result, attempt }) };
    const found = repositoriesOf(Buffer.isBuffer(result.body) ? result.body : Buffer.alloc(0));
    if (!found) return { failed: { upstream: attempt.upstream, outcome: 'failed', reason: 'malformed' } };
    names.push(...found);
    query = found.length > 0 ? nextPageQuery(result.answer.headers.joined('link')) : undefined;
  }
  return { names };
}

async function readPage(
  exchange: Exchange,
  context: Uses<'upstreams'>,
  attempt: Attempt,
  query: URLSearchParams,
): ReturnType<typeof attemptRead> {
  const upstream = context.upstreams.get(attempt.upstream);
  const limit = Math.min(upstream?.config.deadlines.manifest ?? 0, TOTAL_MS - exchange.elapsed());
  if (!upstream || limit <= 0) return { outcome: 'failed', reason: 'out-of-time', detail: 'no time was left' };
  const started = performance.now();
  const reading = {
    method: 'GET' as const,
    path: `/v2/_catalog?${query}`,
    headers: { accept: 'application/json' },
    scopes: ['registry:catalog:*'],
    clientAuthorization: exchange.clientAuthorization,
    wholeUpTo: MAX_BODY,
  };
  const result = await attemptRead(upstream, attempt, reading, { ms: limit, ignoreCanary: false }, exchange.control());
  exchange.attempts.push(attemptRecord(attempt, result, Math.round(performance.now() - started)));
  return result;
}

function repositoriesOf(body: Buffer): string[] | undefined {
  try {
    const content: unknown = JSON.parse(body.toString('utf8'));
    if (typeof content !== 'object' || content === null || !('repositories' in content)) return undefined;
    const { repositories } = content;
    return Array.isArray(repositories) ? repositories.filter((name) => typeof name === 'string') : [];
  } catch {
    return undefined;
  }
}

function page({ names, upstreams, missing }: Names, query: URLSearchParams): Reply {
  const last = query.get('last') ?? '';
  const asked = query.get('n');
  const size =
    asked !== null && /^\d{1,9}$/.test(asked) && Number(asked) > 0 ? Math.min(Number(asked), MAX_PAGE) : DEFAULT_PAGE;
  const start = names.findIndex((name) => name > last);
  const shown = start === -1 ? [] : names.slice(start, start + size);
  const headers: [string, string][] = [['x-breakwater-upstream', upstreams.join(', ')]];
  if (missing.length > 0)
    headers.push([
      'warning',
      `299 - "some repositories are listed by a fallback (${missing.join('; ').slice(0, 512)})"`,
    ]);
  const final = shown.at(-1);
  if (final !== undefined && start + size < names.length) {
    headers.push([
      'link',
      `</v2/_catalog?${new URLSearchParams([...namespaceOf(query), ['last', final], ['n', String(size)]])}>; rel="next"`,
    ]);
  }
  return {
    ...jsonReply(200, { repositories: shown }, headers),
    upstream: upstreams.length === 1 ? upstreams[0] : undefined,
  };
}
