import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { AttemptEnding } from '../../failover/conclude.ts';
import type { Attempt } from '../../failover/plan.ts';
import { type Route, toClient } from '../../failover/rewrite.ts';
import { nextPageQuery } from '../../oci/link.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import { parseJson } from '../../upstream/body/read-body.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { attemptRead } from '../pull/attempt.ts';
import { type AttemptResult, recordAttempt, type UpstreamRead } from '../pull/attempt-result.ts';
import { conclusion } from '../pull/conclusion.ts';
import { isOutage } from '../pull/outage-check.ts';
import { planAttempts } from '../pull/pull.ts';
import { pullReply } from '../pull/pull-reply.ts';
import { decidingUpstream } from '../pull/upstream-read.ts';
import { jsonReply, type Reply } from '../reply/reply.ts';
import { namespaceOf } from '../request/paths.ts';
import { repositoryKeyOf } from '../request/repository-names.ts';

interface Names {
  names: string[];
  upstreams: string[];
  /** The preferred upstreams that could not list their repositories, with the reason. */
  missing: string[];
}

type Listing = { names: string[] } | { refused: Reply } | { failed: AttemptEnding };

type CatalogContext = ChallengeContext & Uses<'turn' | 'upstreams' | 'views'>;

const FRESH_MS = 10_000;
const MAX_KEYS = 32;
const MAX_NAMES = 100_000;
const MAX_PAGES = 200;
const UPSTREAM_PAGE = 1000;
const MAX_BODY = 4_194_304;
const DEFAULT_PAGE = 1000;
const MAX_PAGE = 10_000;
const TOTAL_MS = 9000;
/** Milliseconds for a read of the canary. */
const CANARY_MS = 2000;
const CATALOG = { absent: 'NAME_UNKNOWN', content: 'the catalog', soleCounts: false } as const;

/**
 * The catalog over all routes, in the client's names. The list of each route comes from the first of its upstreams
 * that answers. The lists are merged and sorted as a whole, because registries sort differently and renaming changes
 * the order. The merged list is kept for a few seconds, for the pages that follow.
 */
export class Catalog {
  readonly #cache = new LRUCache<string, Names>({
    maxSize: MAX_KEYS,
    sizeCalculation: () => 1,
    ttl: FRESH_MS,
    ttlAutopurge: true,
  });

  async fetch(exchange: Exchange, context: CatalogContext, request: RegistryRequest): Promise<Reply> {
    // Clients may see different repositories: the key has their credentials.
    const key = createHash('sha256')
      .update(`${exchange.registry ?? ''}\n${exchange.clientAuthorization ?? ''}`)
      .digest('hex');
    const gathered = this.#cache.get(key) ?? (await gather(exchange, context, request));
    if ('status' in gathered) return gathered;
    this.#cache.set(key, gathered);
    return page({ ...gathered, names: visibleTo(exchange, context, gathered.names) }, request.query);
  }
}

async function gather(exchange: Exchange, context: CatalogContext, request: RegistryRequest): Promise<Names | Reply> {
  const names = new Set<string>();
  const upstreams = new Set<string>();
  const missing = new Set<string>();
  const listings = new Map<string, Promise<Listing>>();
  for (const route of context.routes.filter(({ registry }) => registry === exchange.registry)) {
    const endings: AttemptEnding[] = [];
    let listed = false;
    const hiding = decidingUpstream(exchange, context, route)?.upstream;
    let confinedTo: string | undefined;
    for (const attempt of attemptsFor(exchange, context, route, hiding)) {
      if (confinedTo !== undefined && attempt.upstream !== confinedTo) continue;
      const started = performance.now();
      const reading = listings.get(attempt.url) ?? list(exchange, context, request, attempt);
      listings.set(attempt.url, reading);
      const listing = await reading;
      if ('refused' in listing) return listing.refused;
      if ('failed' in listing) {
        endings.push(listing.failed);
        missing.add(`${attempt.upstream}: ${listing.failed.reason ?? 'failed'}`);
        // What another upstream lists may be hidden from this client here (rule 3).
        if (attempt.upstream === hiding && !(await isOut(context, attempt, listing.failed, started)))
          confinedTo = hiding;
        continue;
      }
      for (const name of listing.names) {
        const own = toClient(context.routes, route, attempt.candidate, name);
        if (own !== undefined && names.size < MAX_NAMES) names.add(own);
      }
      upstreams.add(attempt.upstream);
      if (attempt.upstream !== route.pull[0]?.upstream) missing.add(`${route.pull[0]?.upstream}: not available`);
      listed = true;
      break;
    }
    if (!listed) throw conclusion(context, endings, { ...CATALOG, route, confinedTo });
  }
  return { names: [...names].sort(), upstreams: [...upstreams], missing: [...missing] };
}

/** @param started when the listing began, on the clock of `performance.now` */
async function isOut(
  { upstreams }: Uses<'upstreams'>,
  attempt: Attempt,
  { reason }: AttemptEnding,
  started: number,
): Promise<boolean> {
  const upstream = upstreams.get(attempt.upstream);
  return upstream === undefined || isOutage(upstream, { attempt, reason, started, limitMs: CANARY_MS });
}

function attemptsFor(exchange: Exchange, context: CatalogContext, route: Route, hiding: string | undefined): Attempt[] {
  const authority = context.access?.authority;
  const attempts = planAttempts(exchange, context, route, `${route.prefix}any`, 'control', { hiding });
  return attempts.filter(({ upstream }) => authority === undefined || upstream === authority);
}

/** Where the edge checks who clients are, each client sees the repositories that it may pull. */
function visibleTo(
  { permit: { user }, registry }: Exchange,
  { access, routes }: Uses<'access' | 'routes'>,
  names: string[],
): string[] {
  if (!access) return names;
  const key = (name: string) => repositoryKeyOf(routes, access.authority, registry, name);
  return names.filter((name) => user !== undefined && access.may(user, key(name), 'pull'));
}

/** The whole catalog of one upstream, page by page. */
async function list(
  exchange: Exchange,
  context: CatalogContext,
  request: RegistryRequest,
  attempt: Attempt,
): Promise<Listing> {
  const { upstream } = attempt;
  const names: string[] = [];
  let query: URLSearchParams | undefined = new URLSearchParams({ n: String(UPSTREAM_PAGE) });
  for (let count = 0; query && count < MAX_PAGES && names.length < MAX_NAMES; count += 1) {
    const result = await readPage(exchange, context, attempt, query, names.length === 0);
    if (result.outcome === 'failed') return { failed: { upstream, outcome: 'failed', reason: result.reason } };
    if (result.outcome === 'absent')
      return mayBeEmpty(context, upstream, result)
        ? { names }
        : { failed: { upstream, outcome: 'failed', reason: 'unproven' } };
    if (result.outcome !== 'served')
      return { refused: await pullReply(exchange, context, request, { ...result, attempt }) };
    const found = Buffer.isBuffer(result.body) ? repositoriesOf(result.body) : undefined;
    if (!found) return { failed: { upstream, outcome: 'failed', reason: 'malformed' } };
    names.push(...found);
    query = found.length > 0 ? nextPageQuery(result.answer.headers.joined('link')) : undefined;
  }
  return { names };
}

/**
 * Whether a catalog without repositories is believed. A registry without any content is rare, so it takes a good canary, or the word of the
 * operator. A 404 says that the registry has no catalog.
 */
function mayBeEmpty(
  { upstreams }: Uses<'upstreams'>,
  upstream: string,
  { confirmed, emptyList }: Extract<AttemptResult, { outcome: 'absent' }>,
): boolean {
  return emptyList === undefined || confirmed || upstreams.get(upstream)?.config.probe.allowEmpty === true;
}

async function readPage(
  exchange: Exchange,
  context: Uses<'upstreams'>,
  attempt: Attempt,
  query: URLSearchParams,
  wholeList: boolean,
): Promise<AttemptResult> {
  const upstream = context.upstreams.get(attempt.upstream);
  const ms = Math.min(upstream?.config.deadlines.manifest ?? 0, TOTAL_MS - exchange.elapsed());
  if (!upstream || ms <= 0) return { outcome: 'failed', reason: 'out-of-time', detail: 'no time was left' };
  const started = performance.now();
  const read: UpstreamRead = {
    method: 'GET',
    content: 'catalog',
    path: `/v2/_catalog?${query}`,
    headers: { accept: 'application/json' },
    scopes: ['registry:catalog:*'],
    clientAuthorization: exchange.clientAuthorization,
    wholeUpTo: MAX_BODY,
    wholeList,
  };
  const result = await attemptRead(upstream, attempt, read, { ms, ignoreCanary: false }, exchange.control());
  recordAttempt(exchange, attempt, result, started);
  return result;
}

function repositoriesOf(body: Buffer): string[] | undefined {
  const content = parseJson(body);
  if (typeof content !== 'object' || content === null || !('repositories' in content)) return undefined;
  const { repositories } = content;
  return Array.isArray(repositories) ? repositories.filter((name) => typeof name === 'string') : [];
}

function page({ names, upstreams, missing }: Names, query: URLSearchParams): Reply {
  const last = query.get('last') ?? '';
  const asked = query.get('n') ?? '';
  const size = /^\d{1,9}$/.test(asked) && Number(asked) > 0 ? Math.min(Number(asked), MAX_PAGE) : DEFAULT_PAGE;
  const start = names.findIndex((name) => name > last);
  const shown = start === -1 ? [] : names.slice(start, start + size);
  const headers: [string, string][] = [['x-breakwater-upstream', upstreams.join(', ')]];
  const why = missing.join('; ').slice(0, 512);
  if (missing.length > 0) headers.push(['warning', `299 - "some repositories are listed by a fallback (${why})"`]);
  const final = shown.at(-1);
  if (final !== undefined && start + size < names.length) {
    const next = new URLSearchParams([...namespaceOf(query), ['last', final], ['n', String(size)]]);
    headers.push(['link', `</v2/_catalog?${next}>; rel="next"`]);
  }
  const upstream = upstreams.length === 1 ? upstreams[0] : undefined;
  return { ...jsonReply(200, { repositories: shown }, headers), upstream };
}
