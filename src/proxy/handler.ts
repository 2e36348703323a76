import type { IncomingMessage, ServerResponse } from 'node:http';
import { findRoute, type Route } from '../failover/rewrite.ts';
import { OciError } from '../oci/error.ts';
import type { RegistryRequest } from '../oci/request.ts';
import { Catalog } from './endpoints/catalog.ts';
import { fetchDownload } from './endpoints/download.ts';
import { fetchHook } from './endpoints/hook.ts';
import { fetchOptions } from './endpoints/options.ts';
import { fetchOwnToken } from './endpoints/own-token.ts';
import { fetchPassthrough } from './endpoints/passthrough.ts';
import { fetchPing } from './endpoints/ping.ts';
import { fetchToken } from './endpoints/upstream-token.ts';
import { Exchange } from './exchange.ts';
import type { ProxyContext } from './proxy-context.ts';
import { discardAnswer } from './pull/attempt-result.ts';
import { fetchContent } from './pull/blob-and-list-pull.ts';
import { cachedManifest } from './pull/cached-manifest.ts';
import { ManifestPull } from './pull/manifest-pull.ts';
import type { Relayable } from './pull/pull-plan.ts';
import { pullReply } from './pull/pull-reply.ts';
import { ReferrersPull } from './pull/referrers-pull.ts';
import { blobReply, fetchRanges } from './pull/several-ranges-pull.ts';
import { isPull, mayHide, type PullRequest } from './pull/upstream-read.ts';
import { notePush } from './push/note-push.ts';
import { discardPush, fetchPush } from './push/push.ts';
import { planWrite, type WriteRequest } from './push/push-plan.ts';
import { pushReply } from './push/push-reply.ts';
import { corsHeaders, preflightReply } from './reply/cors.ts';
import { discard, relay } from './reply/relay.ts';
import type { Reply } from './reply/reply.ts';
import { settle } from './reply/settle.ts';
import { authorize } from './request/authorize.ts';
import { type ParsedRequest, parse } from './request/parse.ts';
import { refusePlain, type Transport } from './request/transport.ts';
import { hideAbsence } from './request/visible-upstreams.ts';

/** Takes each client request through the six stages (docs/request-handling.md). */
export class Handler {
  readonly #context: ProxyContext;
  readonly #catalog = new Catalog();

  constructor(context: ProxyContext) {
    this.#context = context;
  }

  /** @param expectsContinue the client sent `Expect: 100-continue` and waits for the answer */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
    transport: Transport,
  ): Promise<void> {
    const exchange = new Exchange(request, response, expectsContinue, transport);
    exchange.cors = corsHeaders(this.#context.config.cors, request.headers.origin);
    let failure: unknown;
    try {
      const { access, config, trustedProxies } = this.#context;
      refusePlain(transport, config, trustedProxies);
      exchange.noteProxies(trustedProxies);
      const parsed = parse(exchange, this.#context);
      if (access && parsed.kind === 'registry') await authorize(exchange, this.#context, access, parsed.request);
      const reply = await this.#fetch(exchange, parsed);
      exchange.hold(() => discard(reply));
      await relay(exchange, reply);
    } catch (error) {
      failure = error;
    }
    settle(exchange, this.#context, failure);
  }

  async #fetch(exchange: Exchange, parsed: ParsedRequest): Promise<Reply> {
    const context = this.#context;
    switch (parsed.kind) {
      case 'token':
        return parsed.sealed === undefined
          ? fetchOwnToken(exchange, context, parsed.query)
          : fetchToken(exchange, context, parsed.sealed, parsed.query);
      case 'download':
        return fetchDownload(exchange, context, parsed.sealed);
      case 'hook':
        return fetchHook(exchange, context, parsed.sender);
      case 'preflight':
        return preflightReply();
      case 'passthrough':
        return fetchPassthrough(exchange, context, parsed.upstream);
      default:
        return this.#fetchRegistry(exchange, parsed.request);
    }
  }

  async #fetchRegistry(exchange: Exchange, request: RegistryRequest): Promise<Reply> {
    const context = this.#context;
    if (request.method === 'OPTIONS') return fetchOptions(exchange, context, request);
    if (request.kind === 'ping') return fetchPing(exchange, context);
    if (request.kind === 'catalog') return this.#catalog.fetch(exchange, context, request);
    const found = findRoute(context.routes, exchange.registry, request.repository);
    if (!found) throw new OciError('NAME_UNKNOWN', 'no route of this registry matches the repository');
    // A well upstream may hide the repository from this user: the next upstream must not show it.
    const hides = exchange.permit.previouslyGranted || mayHide(context, found);
    const route: Route = hides ? { ...found, onAbsent: 'stop' } : found;
    exchange.notes.plan.route = route.prefix;
    if (!isPull(request)) return this.#push(exchange, request, route);
    try {
      return await this.#pull(exchange, request, route);
    } catch (error) {
      throw hideAbsence(exchange, context, error);
    }
  }

  async #push(exchange: Exchange, request: WriteRequest, route: Route): Promise<Reply> {
    const context = this.#context;
    const plan = await planWrite(exchange, context, route, request);
    const answer = await fetchPush(exchange, context, plan);
    exchange.hold(() => discardPush(answer));
    if (notePush(exchange, context, plan, answer)) await context.tellPeers();
    return pushReply(exchange, context, plan, answer);
  }

  async #pull(exchange: Exchange, request: PullRequest, route: Route): Promise<Reply> {
    const context = this.#context;
    const preferred = route.pull[0]?.upstream;
    if (preferred !== undefined) exchange.notes.plan.preferred = preferred;
    const cached = request.kind === 'manifest' ? cachedManifest(exchange, context, route, request) : undefined;
    if (cached) return cached;
    if (request.kind === 'blob' && exchange.ranges)
      return fetchRanges(exchange, context, { request, route }, exchange.ranges);
    const result = await this.#fetchPull(exchange, request, route);
    exchange.hold(() => discardAnswer(result));
    if (request.kind !== 'blob') return pullReply(exchange, context, request, result);
    return blobReply(exchange, context, { request, route }, result);
  }

  #fetchPull(exchange: Exchange, request: PullRequest, route: Route): Promise<Relayable> {
    const context = this.#context;
    if (request.kind === 'manifest') return new ManifestPull(exchange, context, route, request).fetch();
    if (request.kind === 'referrers') return new ReferrersPull(exchange, context, route, request).fetch();
    return fetchContent(exchange, context, route, request);
  }
}
