import type { Attempt } from '../../failover/plan.ts';
import { answersReferrers, type CopiedReferrers, nextReferrersStep } from '../../failover/referrers.ts';
import type { Candidate, Route } from '../../failover/rewrite.ts';
import { authorityOf } from '../../failover/stale-tag.ts';
import { isEmptyList } from '../../oci/answer-content.ts';
import { NoReferrersApi, OciError } from '../../oci/error.ts';
import { EVERY_MANIFEST } from '../../oci/manifest-type.ts';
import { REFERRERS_TYPE, type ReferrersPage, referrersPage, referrersTag } from '../../oci/referrers-list.ts';
import { HeaderList } from '../../upstream/header-list.ts';
import type { Exchange } from '../exchange.ts';
import { type ManifestContext, ManifestPull } from './manifest-pull.ts';
import { isOutage } from './outage-check.ts';
import { fetchPull, planAttempts } from './pull.ts';
import type { Relayable } from './pull-plan.ts';
import { placeOf } from './tag-pull.ts';
import { hidingUpstream, type ManifestRequest, noteShown, pullPlan, type ReferrersRequest } from './upstream-read.ts';

/** Milliseconds for which a canary is waited for at most. */
const CANARY_MS = 3000;

/**
 * Stage 4 of a read of a list of referrers. A client that gets a list writes no index of its own when it pushes. So while pushes are
 * admitted, the primary alone answers, with its 404 too. Else the fallbacks answer in its place.
 */
export class ReferrersPull {
  readonly #exchange: Exchange;
  readonly #context: ManifestContext;
  readonly #route: Route;
  readonly #request: ReferrersRequest;
  readonly #hiding: string | undefined;
  /** The upstream that decides which referrers there are. */
  readonly #primary: string;
  /** Attempts at the primary; on a read-only route, at every upstream. */
  readonly #first: Attempt[];
  readonly #others: Attempt[];

  constructor(exchange: Exchange, context: ManifestContext, route: Route, request: ReferrersRequest) {
    this.#exchange = exchange;
    this.#context = context;
    this.#route = route;
    // The answer to a HEAD does not tell whether the list has entries.
    this.#request = { ...request, method: 'GET' };
    this.#hiding = hidingUpstream(exchange, context, route, request.repository);
    this.#primary = authorityOf(route)?.upstream ?? '';
    this.#first = this.#plan(route.push ? [route.push] : route.pull);
    const isOther = ({ upstream }: Candidate | Attempt) => upstream !== this.#primary;
    // For a client that may push, a plan has the primary alone while pushes are admitted.
    this.#others = this.#plan(route.pull.filter(isOther)).filter(isOther);
  }

  /** @throws OciError, ClientGone */
  async fetch(): Promise<Relayable> {
    const view = this.#context.views().get(this.#primary);
    const isVisible = this.#first.some(({ upstream }) => upstream === this.#primary);
    const isAsked = (view && answersReferrers(view)) || this.#others.length === 0 || !(await this.#mayShowOthers());
    if (isVisible && isAsked) return this.#fetchFirst();
    // The client may not ask the primary, whose answer this would be.
    if (view?.gate.mode !== 'refusing' && this.#support === 'lacks') throw new NoReferrersApi();
    try {
      return await this.#fetchCopy(undefined);
    } catch (error) {
      // A primary that seems to be down may answer all the same.
      if (!isVisible || !isUnavailable(error)) throw error;
      return this.#ask(this.#first).catch((again) => Promise.reject(isUnavailable(again) ? error : again));
    }
  }

  get #support(): CopiedReferrers['primary'] {
    return this.#context.upstreams.get(this.#primary)?.referrers.support ?? 'unknown';
  }

  #plan(pull: Candidate[]): Attempt[] {
    const { repository } = this.#request;
    const options = { hiding: this.#hiding };
    return planAttempts(this.#exchange, this.#context, { ...this.#route, pull }, repository, 'control', options);
  }

  async #fetchFirst(): Promise<Relayable> {
    try {
      return await this.#ask(this.#first);
    } catch (error) {
      if (!isUnavailable(error) || !(await this.#mayStandIn())) throw error;
      return this.#fetchCopy(error);
    }
  }

  /** Whether fallbacks may answer in place of a primary that has just failed. */
  async #mayStandIn(): Promise<boolean> {
    const upstream = this.#context.upstreams.get(this.#primary);
    const [attempt] = this.#first;
    if (!upstream || !attempt || !(await this.#mayShowOthers())) return false;
    await upstream.confirmCanary(attempt.url);
    // From a list, clients learn nothing new of a primary that is known to list referrers.
    return !this.#route.push || this.#support === 'has' || upstream.view().gate.mode === 'refusing';
  }

  /** While the primary may be hiding the repository, others show nothing of it but in an outage (rule 3). */
  async #mayShowOthers(): Promise<boolean> {
    const upstream = this.#context.upstreams.get(this.#primary);
    const [attempt] = this.#first;
    if (this.#primary !== this.#hiding || !upstream || !attempt) return true;
    return isOutage(upstream, { attempt, reason: undefined, started: performance.now(), limitMs: CANARY_MS });
  }

  async #ask(attempts: Attempt[]): Promise<Relayable> {
    const plan = pullPlan(this.#exchange, this.#context, this.#route, this.#request, attempts);
    const only = this.#route.push !== undefined && attempts === this.#first;
    const result = await fetchPull(this.#exchange, this.#context, { ...plan, untilCanaryFails: only });
    noteShown(this.#exchange, this.#context, this.#request, result);
    const { outcome, answer, attempt } = result;
    if (outcome === 'served' && answer.status === 200)
      this.#context.upstreams.get(attempt.upstream)?.referrers.noteList();
    return result;
  }

  /** What the fallbacks have. @param failure of the primary, if that was asked @throws OciError */
  async #fetchCopy(failure: unknown): Promise<Relayable> {
    // On a read-only route, the others were asked for their lists together with the first upstream.
    const wasAsked = failure !== undefined && !this.#route.push;
    const known: CopiedReferrers = { primary: this.#support, list: wasAsked ? 'failed' : undefined, index: undefined };
    let [list, index]: (Relayable | undefined)[] = [];
    const empty = this.#composed(undefined, this.#others[0]);
    let reason = failure;
    for (;;) {
      const step = nextReferrersStep(known);
      if (step === 'list' && list) return list;
      if (step === 'index' && index) return index;
      if (step === 'no-api') throw new NoReferrersApi();
      if (step === 'empty-list' && empty) return empty;
      if (step === 'failed') throw reason;
      try {
        if (step === 'ask-list') {
          list = await this.#ask(this.#others);
          known.list = stateOf(list);
        } else {
          index = await this.#askIndex();
          known.index = index ? 'there' : 'absent';
        }
      } catch (error) {
        if (!(error instanceof OciError)) throw error;
        if (error.status !== 404) reason ??= error;
        known[step === 'ask-list' ? 'list' : 'index'] = error.status === 404 ? 'absent' : 'failed';
      }
    }
  }

  /** The list in the index under the referrers tag. Undefined: there is no such index. */
  async #askIndex(): Promise<Relayable | undefined> {
    const { repository, digest, query } = this.#request;
    const tag: ManifestRequest = {
      kind: 'manifest',
      method: 'GET',
      repository,
      reference: referrersTag(digest),
      query,
    };
    const place = placeOf(this.#route, tag);
    if (place && this.#context.ledger.isDeleted(place)) return undefined;
    const own = { accept: EVERY_MANIFEST, except: this.#primary };
    const { attempt, body } = await new ManifestPull(this.#exchange, this.#context, this.#route, tag, own).fetch();
    return Buffer.isBuffer(body) ? this.#composed(body, attempt) : undefined;
  }

  /** The answer with the page of a list that the client asks for. Undefined: this is no such list. */
  #composed(index: Buffer | undefined, attempt: Attempt | undefined): Relayable | undefined {
    const page = referrersPage(index, this.#request.query);
    if (!page || !attempt) return undefined;
    const answer = { status: 200, headers: headersOf(page), redirected: false, url: new URL(attempt.url) };
    return { outcome: 'served', answer, body: page.body, permit: { reportEnd: () => undefined }, attempt };
  }
}

function headersOf({ next, filtered }: ReferrersPage): HeaderList {
  return new HeaderList([
    ['content-type', REFERRERS_TYPE],
    ...(filtered ? [['oci-filters-applied', 'artifactType'] as const] : []),
    ...(next ? [['link', `<?${next}>; rel="next"`] as const] : []),
  ]);
}

function isUnavailable(error: unknown): boolean {
  return error instanceof OciError && error.status === 503;
}

const DENIALS = [401, 403];

/** A denial is the answer. A registry without the API may refuse the request in any other way. */
function stateOf({ outcome, answer, body }: Relayable): CopiedReferrers['list'] {
  if (outcome === 'refused' && !DENIALS.includes(answer.status)) return 'absent';
  const isEmpty = outcome === 'served' && Buffer.isBuffer(body) && isEmptyList('referrers', body);
  return isEmpty ? 'empty' : 'entries';
}
