import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientAddress } from '../auth/caller.ts';
import { findRoute, type Route } from '../failover/rewrite.ts';
import { OciError } from '../oci/error.ts';
import type { Catalog } from './endpoints/catalog.ts';
import { fetchDownload } from './endpoints/download.ts';
import { fetchHook } from './endpoints/hook.ts';
import { fetchOwnToken } from './endpoints/own-token.ts';
import { fetchPassthrough } from './endpoints/passthrough.ts';
import { fetchPing } from './endpoints/ping.ts';
import { fetchToken } from './endpoints/upstream-token.ts';
import { Exchange } from './exchange.ts';
import type { ProxyContext } from './proxy-context.ts';
import { fetchContent } from './pull/blob-and-list-pull.ts';
import { blobTransfer } from './pull/blob-transfer.ts';
import { fetchManifest, notePull, rememberedManifest } from './pull/manifest-pull.ts';
import type { Relayable } from './pull/pull-plan.ts';
import { pullReply } from './pull/pull-reply.ts';
import { digestOf, isShown } from './pull/tag-pull.ts';
import { isPull, type ManifestRequest, type PullRequest } from './pull/upstream-read.ts';
import type { Forwarder } from './push/forwarder.ts';
import { notePush } from './push/note-push.ts';
import { fetchPush } from './push/push.ts';
import { planWrite } from './push/push-plan.ts';
import { pushReply } from './push/push-reply.ts';
import { relay } from './reply/relay.ts';
import type { Reply } from './reply/reply.ts';
import { settle } from './reply/settle.ts';
import { authorize } from './request/authorize.ts';
import { type ParsedRequest, parse } from './request/parse.ts';
import { reconsidered } from './request/visible-upstreams.ts';

type Registry = Extract<ParsedRequest, { kind: 'registry' }>;

/** Takes every request of clients through the six stages (docs/request-handling.md). */
export class Handler {
  readonly #context: ProxyContext;
  readonly #forwarder: Forwarder;
  readonly #catalog: Catalog;

  constructor(context: ProxyContext, forwarder: Forwarder, catalog: Catalog) {
    this.#context = context;
    this.#forwarder = forwarder;
    this.#catalog = catalog;
  }

  /** Never rejects. @param expectsContinue the client sent `Expect: 100-continue` and waits */
  async handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const exchange = new Exchange(request, response, expectsContinue);
    try {
      const asked = parse(exchange, this.#context);
      const { access, trustedProxies } = this.#context;
      if (trustedProxies) exchange.client = clientAddress(exchange.client, forwardedFor(exchange), trustedProxies);
      if (access && asked.kind === 'registry')
        await authorize(exchange, this.#context, access, asked.request, asked.registry);
      const reply = await this.#fetch(exchange, asked);
      await relay(exchange, reply);
      settle(exchange, this.#context, undefined);
    } catch (error) {
      settle(exchange, this.#context, error);
    }
  }

  async #fetch(exchange: Exchange, asked: ParsedRequest): Promise<Reply> {
    if (asked.kind === 'own-token') return this.#ownToken(exchange, asked.query);
    if (asked.kind === 'token') {
      exchange.notes.kind = 'token';
      return fetchToken(exchange, this.#context, asked.sealed, asked.query);
    }
    if (asked.kind === 'download') {
      exchange.notes.kind = 'download';
      return fetchDownload(exchange, this.#context, asked.sealed);
    }
    if (asked.kind === 'hook') {
      exchange.notes.kind = 'hook';
      return fetchHook(exchange, this.#context, asked.sender);
    }
    if (asked.kind === 'passthrough') {
      const upstream = this.#context.upstreams.get(asked.upstream);
      if (!upstream) throw new OciError('UNKNOWN', `no upstream ${asked.upstream}`);
      return fetchPassthrough(exchange, this.#context, this.#forwarder, upstream);
    }
    return this.#fetchRegistry(exchange, asked);
  }

  #ownToken(exchange: Exchange, query: URLSearchParams): Promise<Reply> {
    exchange.notes.kind = 'token';
    const { access } = this.#context;
    if (!access) throw new OciError('NAME_UNKNOWN', 'this edge gives no tokens of its own (auth.mode: open)');
    return fetchOwnToken(exchange, access, query);
  }

  async #fetchRegistry(exchange: Exchange, asked: Registry): Promise<Reply> {
    const { request, registry } = asked;
    if (request.kind === 'ping') return fetchPing(exchange, this.#context, registry);
    if (request.kind === 'catalog') return this.#catalog.fetch(exchange, this.#context, asked);
    const found = findRoute(this.#context.routes, registry, request.repository);
    if (!found) throw new OciError('NAME_UNKNOWN', 'no route of this edge leads to that repository');
    // What is hidden from a user by one who is well is not to be had from the next.
    const route: Route = exchange.faded ? { ...found, onAbsent: 'stop' } : found;
    exchange.notes.route = route.prefix;
    if (isPull(request)) {
      return this.#pull(exchange, asked, request, route).catch((error: unknown) => {
        throw reconsidered(exchange, this.#context, error);
      });
    }
    const plan = await planWrite(this.#context, route, registry, request);
    const answer = await fetchPush(exchange, this.#context, this.#forwarder, plan);
    notePush(exchange, this.#context, plan, answer);
    return pushReply(exchange, this.#context, registry, plan, answer);
  }

  async #pull(exchange: Exchange, asked: Registry, request: PullRequest, route: Route): Promise<Reply> {
    const context = this.#context;
    const preferred = route.pull[0]?.upstream;
    if (preferred !== undefined) exchange.notes.preferred = preferred;
    const remembered = request.kind === 'manifest' ? rememberedManifest(exchange, context, route, request) : undefined;
    if (remembered && request.kind === 'manifest') notePull(exchange, context, route, request, request.reference);
    if (remembered) return remembered;
    const result =
      request.kind === 'manifest'
        ? await this.#manifest(exchange, request, route)
        : await fetchContent(exchange, context, route, request);
    return pullReply(exchange, context, asked, result, (body) =>
      blobTransfer(exchange, context, { request, route }, result, body),
    );
  }

  async #manifest(exchange: Exchange, request: ManifestRequest, route: Route): Promise<Relayable> {
    const { result, tag } = await fetchManifest(exchange, this.#context, route, request);
    if (tag) exchange.notes.tag = tag;
    const byDigest = request.reference.includes(':') ? request.reference : undefined;
    notePull(exchange, this.#context, route, request, isShown(result) ? (byDigest ?? digestOf(result)) : undefined);
    return result;
  }
}

function forwardedFor({ headers }: Exchange): string | undefined {
  const value = headers['x-forwarded-for'];
  return Array.isArray(value) ? value.join(',') : value;
}
