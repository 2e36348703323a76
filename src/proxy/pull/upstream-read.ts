import type { Attempt } from '../../failover/plan.ts';
import { type Candidate, type Route, toUpstream } from '../../failover/rewrite.ts';
import { isEmptyList } from '../../oci/answer-content.ts';
import type { ErrorCode } from '../../oci/error.ts';
import { imageName } from '../../oci/reference.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { errorInClientNames } from '../reply/error-body.ts';
import { pullHeaders } from '../reply/header-rules.ts';
import type { UpstreamRead } from './attempt-result.ts';
import type { PullPlan, Relayable } from './pull-plan.ts';

export type PullRequest = Extract<RegistryRequest, { kind: 'manifest' | 'blob' | 'tags' | 'referrers' }>;

export type ManifestRequest = Extract<PullRequest, { kind: 'manifest' }>;

export type ReferrersRequest = Extract<PullRequest, { kind: 'referrers' }>;

export type BlobRequest = Extract<PullRequest, { kind: 'blob' }>;

/** Artifact Registry sends a tag list in one piece, with all its manifests. */
const MAX_LIST = 33_554_432;
/** Milliseconds for which a look for lost content counts for 404s of content that the ledger does not know. */
const RECENT_LOOK_MS = 5000;
const ABSENT: Record<PullRequest['kind'], ErrorCode> = {
  manifest: 'MANIFEST_UNKNOWN',
  blob: 'BLOB_UNKNOWN',
  tags: 'NAME_UNKNOWN',
  referrers: 'MANIFEST_UNKNOWN',
};

/** A 401 without credentials only asks for some. */
const DENIALS = new Set([401, 403]);

export function isPull(request: RegistryRequest): request is PullRequest {
  return (request.method === 'GET' || request.method === 'HEAD') && request.kind in ABSENT;
}

/** The plan of a pull that makes these attempts. */
export function pullPlan(
  exchange: Exchange,
  context: Uses<'access' | 'config' | 'ledger' | 'looks' | 'shown' | 'upstreams'>,
  route: Route,
  request: PullRequest,
  attempts: Attempt[],
): PullPlan {
  const reading = (attempt: Attempt) => upstreamReadFor(exchange, context, request, attempt);
  const decider = decidingUpstream(exchange, context, route)?.upstream;
  const hiding = hidingUpstream(exchange, context, route, request.repository);
  // While the upstream that may be hiding the content is merely slow, it may be about to do so (rule 3).
  const provisional = ({ attempt }: Relayable, slow: ReadonlySet<string>) =>
    hiding !== undefined && attempt.upstream !== hiding && slow.has(hiding);
  const onAbsent: PullPlan['onAbsent'] = (upstream, { forClient }) => {
    const repository = attempts.find((attempt) => attempt.upstream === upstream)?.repository ?? '';
    if (forClient && isThere(context, request, upstream, repository))
      context.shown.takeBack(upstream, repository, exchange.clientAuthorization);
  };
  const [content, absent] = [contentOf(request), ABSENT[request.kind]];
  return { route, attempts, reading, provisional, decider, hiding, onAbsent, content, absent };
}

/**
 * Whether the first upstream of the route decides by the clients' own credentials, and may hide from one client by a 404 what it shows to
 * another.
 */
export function mayHide({ access, upstreams }: Uses<'access' | 'upstreams'>, { pull: [first] }: Route): boolean {
  return access === undefined && first !== undefined && upstreams.get(first.upstream)?.config.credentials === 'forward';
}

/**
 * The upstream that decides by the clients' own credentials what each of them may see. Where the edge checks who clients are, it has checked
 * what they may pull, unless the authority let a client pull the repository before, and does not show it now.
 */
export function decidingUpstream(
  { permit }: Pick<Exchange, 'permit'>,
  { access, upstreams }: Uses<'access' | 'upstreams'>,
  { pull }: Route,
): Candidate | undefined {
  if (access) return permit.previouslyGranted && pull.find(({ upstream }) => upstream === access.authority);
  return pull.find(({ upstream }) => upstreams.get(upstream)?.config.credentials === 'forward');
}

/** The deciding upstream, unless it has shown the repository to these credentials. */
export function hidingUpstream(
  exchange: Pick<Exchange, 'clientAuthorization' | 'permit'>,
  context: Uses<'access' | 'shown' | 'upstreams'>,
  route: Route,
  repository: string,
): string | undefined {
  const decider = decidingUpstream(exchange, context, route);
  if (!decider) return undefined;
  const there = toUpstream(route, decider, repository);
  return context.shown.has(decider.upstream, there, exchange.clientAuthorization) ? undefined : decider.upstream;
}

/** Notes that an upstream showed content of its repository to a client with credentials of its own, or denied it. */
export function noteShown(
  { clientAuthorization, requester }: Exchange,
  { shown, upstreams }: Uses<'shown' | 'upstreams'>,
  request: PullRequest,
  result: Relayable,
): void {
  const { outcome, answer, attempt } = result;
  const { upstream, repository } = attempt;
  if (upstreams.get(upstream)?.config.credentials !== 'forward') return;
  if (isContent(request, result)) shown.note(upstream, repository, clientAuthorization, requester);
  else if (outcome === 'refused' && DENIALS.has(answer.status))
    shown.takeBack(upstream, repository, clientAuthorization);
}

/** Whether the answer shows something of the repository. A redirect may lead to a login, and some registries list nothing for any name. */
function isContent(request: PullRequest, { outcome, body }: Relayable): boolean {
  if (outcome !== 'served') return false;
  return !isList(request) || (Buffer.isBuffer(body) && !isEmptyList(request.kind, body));
}

/** Whether the ledger knows that an upstream has what is asked for, so that its 404 hides it. */
function isThere({ ledger }: Uses<'ledger'>, request: PullRequest, upstream: string, repository: string): boolean {
  if (request.kind !== 'manifest') return false;
  if (isDigestRead(request)) return ledger.hasTagAt(upstream, repository, request.reference);
  return ledger.find({ upstream, repository, tag: request.reference })?.[0]?.digest != null;
}

/** What a client asks for, in its own names. */
function contentOf(request: PullRequest): string {
  if (request.kind === 'tags') return `the tags of ${request.repository}`;
  if (request.kind === 'referrers') return `the referrers of ${request.repository}@${request.digest}`;
  const reference = request.kind === 'blob' ? request.digest : request.reference;
  return imageName(request.repository, reference);
}

/** The read that an upstream gets for a client's request. */
function upstreamReadFor(
  exchange: Exchange,
  context: Uses<'access' | 'config' | 'ledger' | 'looks' | 'upstreams'>,
  request: PullRequest,
  attempt: Attempt,
): UpstreamRead {
  // Manifests are read whole, because a part of one cannot be checked against its digest.
  const headers = pullHeaders(exchange, request.kind === 'blob');
  const manifest = request.kind === 'manifest' && request.reference.includes(':') ? request.reference : undefined;
  return {
    method: request.method === 'HEAD' ? 'HEAD' : 'GET',
    content: request.kind,
    path: pathOf(request, attempt.repository),
    headers,
    scopes: [`repository:${attempt.repository}:pull`],
    clientAuthorization: exchange.clientAuthorization,
    wholeUpTo:
      request.kind === 'blob'
        ? undefined
        : request.kind === 'manifest'
          ? context.config.limits.manifestBytes
          : MAX_LIST,
    digest: request.kind === 'blob' ? request.digest : manifest,
    inClientNames: (body) => errorInClientNames(body, attempt, request.repository),
    // Some registries send a body with the answer to a HEAD, which would be read as the next answer on that
    // connection. A manifest cannot be mistaken for an answer, but a blob can.
    keepAlive: request.kind === 'manifest',
    permitted: context.access !== undefined,
    // A later page may be empty, and so is a page of no entries.
    wholeList: isList(request) && !request.query.has('last') && request.query.get('n') !== '0',
    known: manifest !== undefined && context.ledger.hasTagAt(attempt.upstream, attempt.repository, manifest),
    ...contentTrust(exchange, context, request, attempt),
  };
}

/**
 * Asks at a 404 whether the upstream is believed, or has lost content (rule 9). What vanishes needs a look that begins after the 404: a tag
 * that the ledger knows, and what a GET names by digest, because a client has that digest from a place where the content was. To a client
 * that may push, and to a HEAD of a blob, the upstream's own answer counts, so that the client brings what is missing.
 */
function contentTrust(
  { permit }: Exchange,
  { ledger, looks, upstreams }: Uses<'ledger' | 'looks' | 'upstreams'>,
  request: PullRequest,
  { upstream: name, repository, client }: Attempt,
): Pick<UpstreamRead, 'trust'> {
  const upstream = upstreams.get(name);
  if (!upstream || permit.forPush || (request.kind === 'blob' && request.method === 'HEAD')) return {};
  const began = ledger.now();
  const place = request.kind === 'manifest' && { upstream: name, repository, tag: request.reference };
  const byDigest = request.method === 'GET' && (request.kind === 'blob' || isDigestRead(request));
  return {
    trust: async () => {
      const vanishes = byDigest || (place && ledger.takesBack(place, null, began));
      const trust = await upstream.content.ask(vanishes ? 0 : RECENT_LOOK_MS, client).soon;
      if (trust !== 'unclear') return trust;
      // An own look at the tag notes what it finds, however long that takes.
      if (vanishes && place && !byDigest) looks.noteSoon({ ledger, upstreams }, place);
      return vanishes ? trust : 'believed';
    },
  };
}

function isDigestRead(request: PullRequest): boolean {
  return request.kind === 'manifest' && request.reference.includes(':');
}

function isList({ kind }: PullRequest): boolean {
  return kind === 'tags' || kind === 'referrers';
}

function pathOf(request: PullRequest, repository: string): string {
  if (request.kind === 'manifest') return `/v2/${repository}/manifests/${request.reference}`;
  if (request.kind === 'blob') return `/v2/${repository}/blobs/${request.digest}`;
  const query = new URLSearchParams(request.query);
  query.delete('ns');
  const search = query.size > 0 ? `?${query}` : '';
  return request.kind === 'tags'
    ? `/v2/${repository}/tags/list${search}`
    : `/v2/${repository}/referrers/${request.digest}${search}`;
}
