import type { Route } from '../../failover/rewrite.ts';
import type { UpstreamTag } from '../../ledger/upstream-tag.ts';
import type { Exchange } from '../exchange.ts';
import type { PullContext, Uses } from '../proxy-context.ts';
import { keepManifest } from './cached-manifest.ts';
import { notePull } from './note-pull.ts';
import { fetchForPush, fetchPull, planAttempts } from './pull.ts';
import type { ManifestRead, PullPlan, PullScope, Relayable } from './pull-plan.ts';
import { answerDigest, fetchTag, isShown, placeOfTag, TagRefused } from './tag-pull.ts';
import { type ManifestRequest, pullPlan } from './upstream-read.ts';

/** The request headers that may change the answer to a read of a manifest. */
const DECISIVE = ['accept', 'if-none-match', 'if-modified-since'];

type ManifestContext = PullContext & Uses<'coalescer' | 'manifestCache' | 'pulls'>;

/** Stage 4 of a read of a manifest. It is made once for all clients that ask for the same at the same time. */
export class ManifestPull {
  readonly #exchange: Exchange;
  readonly #context: ManifestContext;
  readonly #route: Route;
  readonly #request: ManifestRequest;
  /** Undefined where the request names a digest. */
  readonly #tag: UpstreamTag | undefined;
  readonly #forPush: boolean;

  constructor(exchange: Exchange, context: ManifestContext, route: Route, request: ManifestRequest) {
    this.#exchange = exchange;
    this.#context = context;
    this.#route = route;
    this.#request = request;
    this.#tag = placeOfTag(route, request);
    this.#forPush = exchange.permit.forPush === true;
  }

  /** @throws OciError, ClientGone */
  async fetch(): Promise<Relayable> {
    const { notes } = this.#exchange;
    try {
      const { result, tag, passedOver } = await this.#context.coalescer.join(this.#key(), this.#exchange, {
        read: (scope) => this.#read(scope),
        // A client that has just pushed asks for the manifest of now, not for the one of a moment ago.
        keep: (read) => keepManifest(this.#exchange, this.#context, read.result, this.#request) && !this.#forPush,
      });
      notes.plan.passedOver = passedOver;
      if (tag) notes.fetch.tag = tag;
      const byDigest = this.#tag ? undefined : this.#request.reference;
      const digest = isShown(result) ? (byDigest ?? answerDigest(result)) : undefined;
      notePull(this.#exchange, this.#context, this.#route, this.#request, digest);
      return result;
    } catch (error) {
      if (error instanceof TagRefused) notes.fetch.tag = error.tag;
      throw error;
    }
  }

  #read(scope: PullScope): Promise<ManifestRead> {
    const plan = this.#plan(this.#request);
    if (!this.#forPush) return this.#readBy(scope, plan);
    const replan = () => this.#plan(this.#request).attempts;
    return fetchForPush(this.#exchange, this.#context, plan, replan, (planned) => this.#readBy(scope, planned));
  }

  async #readBy(scope: PullScope, plan: PullPlan): Promise<ManifestRead> {
    const answer = this.#tag
      ? await fetchTag(scope, this.#context, plan, this.#request, this.#tag, (digest) => this.#planByDigest(digest))
      : { result: await fetchPull(scope, this.#context, plan) };
    return { ...answer, passedOver: passedOver(plan, scope) };
  }

  #plan(request: ManifestRequest): PullPlan {
    const attempts = planAttempts(this.#exchange, this.#context, this.#route, request.repository, 'control');
    return pullPlan(this.#exchange, this.#context, this.#route, request, attempts);
  }

  /** The plan of a read of what the ledger knows to be current. */
  #planByDigest(digest: string): PullPlan {
    const plan = this.#plan({ ...this.#request, reference: digest });
    return { ...plan, route: { ...this.#route, onAbsent: 'next' } };
  }

  /** All that the answer depends on. */
  #key(): string {
    const { upstreams } = this.#context;
    const { headers, clientAuthorization, permit } = this.#exchange;
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
      ...DECISIVE.map((name) => headers[name]),
    ]);
  }
}

/** Why the preferred upstream did not serve, if it did not. */
function passedOver({ route, attempts }: PullPlan, scope: PullScope): string | undefined {
  const preferred = route.pull[0]?.upstream;
  const asked = scope.attempts.find(({ upstream, outcome }) => upstream === preferred && outcome !== 'served');
  return asked?.reason ?? attempts.find(({ upstream }) => upstream === preferred)?.why;
}
