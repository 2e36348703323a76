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
import type { Edge } from './proxy-context.ts';
import { fetchContent } from './pull/blob-and-list-pull.ts';
import { blobTransfer } from './pull/blob-transfer.ts';
import { fetchManifest, notePull, rememberedManifest } from './pull/manifest-pull.ts';
import type { Relayable } from './pull/pull-plan.ts';
import { pullReply } from './pull/pull-reply.ts';
import { digestOf, isShown } from './pull/tag-pull.ts';
import { isPull, type ManifestRequest, type PullRequest } from './pull/upstream-read.ts';
import type { Carrier } from './push/forwarder.ts';
import { notePush } from './push/note-push.ts';
import { fetchPush } from './push/push.ts';
import { planWrite } from './push/push-plan.ts';
import { pushReply } from './push/push-reply.ts';
import { relay } from './reply/relay.ts';
import type { Reply } from './reply/reply.ts';
import { settle } from './reply/settle.ts';
import { authorize } from './request/authorize.ts';
import { type Asked, parse } from './request/parse.ts';
import { reconsidered } from './request/visible-upstreams.ts';

type Registry = Extract<Asked, { kind: 'registry' }>;

/** Takes every request of clients through the six stages (docs/request-handling.md). */
export class Handler {
  readonly #edge: Edge;
  readonly #carrier: Carrier;
  readonly #catalog: Catalog;

  constructor(edge: Edge, carrier: Carrier, catalog: Catalog) {
    this.#edge = edge;
    this.#carrier = carrier;
    this.#catalog = catalog;
  }

  /** Never rejects. @param expectsContinue the client sent `Expect: 100-continue` and waits */
  async handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const exchange = new Exchange(request, response, expectsContinue);
    try {
      const asked = parse(exchange, this.#edge);
      const { access, trustedProxies } = this.#edge;
      if (trustedProxies) exchange.client = clientAddress(exchange.client, forwardedFor(exchange), trustedProxies);
      if (access && asked.kind === 'registry')
        await authorize(exchange, this.#edge, access, asked.request, asked.registry);
      const reply = await this.#fetch(exchange, asked);
      await relay(exchange, reply);
      settle(exchange, this.#edge, undefined);
    } catch (error) {
      settle(exchange, this.#edge, error);
    }
  }

  async #fetch(exchange: Exchange, asked: Asked): Promise<Reply> {
    if (asked.kind === 'own-token') return this.#ownToken(exchange, asked.query);
    if (asked.kind === 'token') {
      exchange.notes.kind = 'token';
      return fetchToken(exchange, this.#edge, asked.sealed, asked.query);
    }
    if (asked.kind === 'download') {
      exchange.notes.kind = 'download';
      return fetchDownload(exchange, this.#edge, asked.sealed);
    }
    if (asked.kind === 'hook') {
      exchange.notes.kind = 'hook';
      return fetchHook(exchange, this.#edge, asked.sender);
    }
    if (asked.kind === 'passthrough') {
      const upstream = this.#edge.upstreams.get(asked.upstream);
      if (!upstream) throw new OciError('UNKNOWN', `no upstream ${asked.upstream}`);
      return fetchPassthrough(exchange, this.#edge, this.#carrier, upstream);
    }
    return this.#fetchRegistry(exchange, asked);
  }

  #ownToken(exchange: Exchange, query: URLSearchParams): Promise<Reply> {
    exchange.notes.kind = 'token';
    const { access } = this.#edge;
    if (!access) throw new OciError('NAME_UNKNOWN', 'this edge gives no tokens of its own (auth.mode: open)');
    return fetchOwnToken(exchange, access, query);
  }

  async #fetchRegistry(exchange: Exchange, asked: Registry): Promise<Reply> {
    const { request, registry } = asked;
    if (request.kind === 'ping') return fetchPing(exchange, this.#edge, registry);
    if (request.kind === 'catalog') return this.#catalog.fetch(exchange, this.#edge, asked);
    const found = findRoute(this.#edge.routes, registry, request.repository);
    if (!found) throw new OciError('NAME_UNKNOWN', 'no route of this edge leads to that repository');
    // What is hidden from a user by one who is well is not to be had from the next.
    const route: Route = exchange.faded ? { ...found, onAbsent: 'stop' } : found;
    exchange.notes.route = route.prefix;
    if (isPull(request)) {
      return this.#pull(exchange, asked, request, route).catch((error: unknown) => {
        throw reconsidered(exchange, this.#edge, error);
      });
    }
    const plan = await planWrite(this.#edge, route, registry, request);
    const answer = await fetchPush(exchange, this.#edge, this.#carrier, plan);
    notePush(exchange, this.#edge, plan, answer);
    return pushReply(exchange, this.#edge, registry, plan, answer);
  }

  async #pull(exchange: Exchange, asked: Registry, request: PullRequest, route: Route): Promise<Reply> {
    const edge = this.#edge;
    const preferred = route.pull[0]?.upstream;
    if (preferred !== undefined) exchange.notes.preferred = preferred;
    const remembered = request.kind === 'manifest' ? rememberedManifest(exchange, edge, route, request) : undefined;
    if (remembered && request.kind === 'manifest') notePull(exchange, edge, route, request, request.reference);
    if (remembered) return remembered;
    const result =
      request.kind === 'manifest'
        ? await this.#manifest(exchange, request, route)
        : await fetchContent(exchange, edge, route, request);
    return pullReply(exchange, edge, asked, result, (body) =>
      blobTransfer(exchange, edge, { request, route }, result, body),
    );
  }

  async #manifest(exchange: Exchange, request: ManifestRequest, route: Route): Promise<Relayable> {
    const { result, tag } = await fetchManifest(exchange, this.#edge, route, request);
    if (tag) exchange.notes.tag = tag;
    const byDigest = request.reference.includes(':') ? request.reference : undefined;
    notePull(exchange, this.#edge, route, request, isShown(result) ? (byDigest ?? digestOf(result)) : undefined);
    return result;
  }
}

function forwardedFor({ headers }: Exchange): string | undefined {
  const value = headers['x-forwarded-for'];
  return Array.isArray(value) ? value.join(',') : value;
}
