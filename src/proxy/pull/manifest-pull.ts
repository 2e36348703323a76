import type { Attempt } from '../../failover/plan.ts';
import type { Route } from '../../failover/rewrite.ts';
import type { UpstreamTag } from '../../ledger/upstream-tag.ts';
import { OciError } from '../../oci/error.ts';
import { isSchema1Type } from '../../oci/manifest-type.ts';
import type { Exchange } from '../exchange.ts';
import type { PullContext, Uses } from '../proxy-context.ts';
import { answerDigest } from './answer-digest.ts';
import type { UpstreamRead } from './attempt-result.ts';
import { keepManifest } from './cached-manifest.ts';
import { noteLacked, notePull, noteServed } from './note-pull.ts';
import { fetchForPush, fetchPull, planAttempts } from './pull.ts';
import type { ManifestRead, PullPlan, PullScope, Relayable, TagAnswer } from './pull-plan.ts';
import { fetchTag, isNarrowed, isShown, isTagRequest, placeOf, type TagRead, TagRefused } from './tag-pull.ts';
import { hidingUpstream, type ManifestRequest, mayHide, noteShown, pullPlan } from './upstream-read.ts';

/** The request headers that may change the answer to a read of a manifest. */
const DECISIVE = ['accept', 'if-none-match', 'if-modified-since'];

export type ManifestContext = PullContext & Uses<'coalescer' | 'hints' | 'manifestCache' | 'pulls' | 'unheard'>;

/** A read that the edge makes for an answer of its own. */
export interface OwnRead {
  /** Takes the place of the client's Accept header. The client's conditions do not count. */
  accept: string;
  /** The upstream that is not asked. */
  except: string | undefined;
}

/** Stage 4 of a read of a manifest. It is made once for all clients that ask for the same at the same time. */
export class ManifestPull {
  readonly #exchange: Exchange;
  readonly #context: ManifestContext;
  readonly #route: Route;
  readonly #request: ManifestRequest;
  readonly #own: OwnRead | undefined;
  readonly #headers: Exchange['headers'];
  /** Undefined: what an upstream shows needs no comparison with the ledger. */
  readonly #compared: TagRead | undefined;
  /** The upstream that acknowledged a deletion of what is asked for. */
  readonly #deletedAt: string | undefined;
  readonly #forPush: boolean;

  constructor(exchange: Exchange, context: ManifestContext, route: Route, request: ManifestRequest, own?: OwnRead) {
    this.#exchange = exchange;
    this.#context = context;
    this.#route = route;
    this.#request = request;
    this.#own = own;
    this.#headers = own ? { accept: own.accept } : exchange.headers;
    const place = placeOf(route, request);
    this.#deletedAt = place && context.ledger.isDeleted(place) ? place.upstream : undefined;
    this.#forPush = exchange.permit.forPush === true;
    if (place && (isTagRequest(request) || context.ledger.find(place))) this.#compared = this.#tagRead(place);
  }

  /** @throws OciError, ClientGone */
  async fetch(): Promise<Relayable> {
    const { notes } = this.#exchange;
    try {
      const { result, tag, passedOver } = await this.#context.coalescer.join(this.#key(), this.#exchange, {
        read: (scope) => this.#read(scope),
        // A client that has just pushed asks for the manifest of now, not for the one of a moment ago.
        keep: (read) => this.#keep(read.result) && !this.#forPush,
      });
      notes.plan.passedOver = passedOver;
      if (tag) notes.fetch.tag = tag;
      noteShown(this.#exchange, this.#context, this.#request, result);
      if (isShown(result)) this.#notePull(result);
      return result;
    } catch (error) {
      if (error instanceof TagRefused) notes.fetch.tag = error.tag;
      throw error;
    }
  }

  #keep(result: Relayable): boolean {
    return keepManifest(this.#exchange, this.#context, this.#route, result, this.#request);
  }

  #tagRead(place: UpstreamTag): TagRead {
    const { clientAuthorization: authorization } = this.#exchange;
    const byDigest = (digest: string) => this.#planByDigest(digest);
    const forPush = this.#forPush;
    return { request: this.#request, place, accept: this.#headers.accept, authorization, forPush, byDigest };
  }

  /** A manifest that the client's Accept may have changed was pulled by its digest, not by the tag. */
  #notePull(result: Relayable): void {
    const request = this.#request;
    const digest = isTagRequest(request) ? answerDigest(result) : request.reference;
    const byItself = this.#compared && isNarrowed(this.#compared, result) && digest !== undefined;
    if (isSchema1Type(result.answer.headers.get('content-type'))) return;
    const pulled = byItself ? { ...request, reference: digest } : request;
    notePull(this.#exchange, this.#context, this.#route, pulled, digest);
    if (isTagRequest(request))
      noteServed(this.#exchange, this.#context, this.#route, result.attempt, request.reference);
  }

  #read(scope: PullScope): Promise<ManifestRead> {
    const plan = this.#plan();
    if (!this.#forPush) return this.#readBy(scope, plan);
    const replan = () => this.#plan().attempts;
    return fetchForPush(this.#exchange, this.#context, plan, replan, (planned) => this.#readBy(scope, planned));
  }

  async #readBy(scope: PullScope, plan: PullPlan): Promise<ManifestRead> {
    const lacking = new Set<string>();
    const onAbsent: PullPlan['onAbsent'] = (upstream, absent) => {
      // A 404 to the client's own credentials says nothing about what a fallback has.
      if (!absent.forClient || upstream === this.#route.push?.upstream) lacking.add(upstream);
      plan.onAbsent?.(upstream, absent);
    };
    try {
      const answer = await this.#fetchBy(scope, { ...plan, onAbsent });
      return { ...answer, passedOver: passedOver(plan, scope) };
    } catch (error) {
      if (error instanceof OciError && error.status === 503)
        noteLacked(this.#exchange, this.#context, this.#route, this.#request, lacking);
      throw error;
    }
  }

  async #fetchBy(scope: PullScope, plan: PullPlan): Promise<TagAnswer> {
    if (this.#compared) return fetchTag(scope, this.#context, plan, this.#compared);
    return { result: await fetchPull(scope, this.#context, plan) };
  }

  #plan(): PullPlan {
    const deletedAt = this.#deletedAt;
    const plan = this.#planOf(this.#request);
    if (deletedAt === undefined) return plan;
    const reading = (attempt: Attempt) => ({ ...plan.reading(attempt), deleted: attempt.upstream === deletedAt });
    const isDown = this.#context.views().get(deletedAt)?.state === 'down';
    const first = plan.attempts.filter(({ upstream }) => upstream === deletedAt && !isDown);
    return { ...plan, attempts: [...new Set([...first, ...plan.attempts])], reading, deletedAt };
  }

  #planOf(request: ManifestRequest): PullPlan {
    const { repository } = request;
    const hiding = hidingUpstream(this.#exchange, this.#context, this.#route, repository);
    const attempts = planAttempts(this.#exchange, this.#context, this.#route, repository, 'control', { hiding });
    const own = this.#own;
    if (!own) return pullPlan(this.#exchange, this.#context, this.#route, request, attempts);
    const others = attempts.filter(({ upstream }) => upstream !== own.except);
    const plan = pullPlan(this.#exchange, this.#context, this.#route, request, others);
    return { ...plan, reading: (attempt) => unconditional(plan.reading(attempt), own) };
  }

  /** The plan of a read of what the ledger knows to be current. */
  #planByDigest(digest: string): PullPlan {
    const plan = this.#planOf({ ...this.#request, reference: digest });
    return mayHide(this.#context, this.#route) ? plan : { ...plan, route: { ...this.#route, onAbsent: 'next' } };
  }

  /** All that the answer depends on. */
  #key(): string {
    const { ledger, upstreams } = this.#context;
    const { clientAuthorization, permit } = this.#exchange;
    const { method, repository, reference } = this.#request;
    const personal = this.#route.pull.some((one) => upstreams.get(one.upstream)?.config.credentials === 'forward');
    return JSON.stringify([
      method,
      this.#route.registry,
      repository,
      reference,
      personal ? clientAuthorization : undefined,
      this.#forPush,
      permit.authorityOnly === true,
      this.#route.onAbsent,
      this.#deletedAt,
      ledger.moves,
      ...DECISIVE.map((name) => this.#headers[name]),
      this.#own?.except,
    ]);
  }
}

function unconditional(read: UpstreamRead, { accept }: OwnRead): UpstreamRead {
  const { 'if-none-match': _tag, 'if-modified-since': _time, ...headers } = read.headers;
  return { ...read, headers: { ...headers, accept }, redirects: 'follow' };
}

/** Why the preferred upstream did not serve, if it did not. */
function passedOver({ route, attempts }: PullPlan, scope: PullScope): string | undefined {
  const preferred = route.pull[0]?.upstream;
  const asked = scope.attempts.find(({ upstream, outcome }) => upstream === preferred && outcome !== 'served');
  return asked?.reason ?? attempts.find(({ upstream }) => upstream === preferred)?.why;
}
