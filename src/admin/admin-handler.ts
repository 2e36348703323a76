import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { clientAddress } from '../auth/caller.ts';
import type { NetworkSet } from '../config/network.ts';
import type { AdminAnswer, AdminRequest } from '../status/admin.ts';
import { isKnownHost } from './known-host.ts';
import { isHttps, isSameOrigin } from './origin.ts';
import { type Refusal, refusalAnswer } from './refusal-page.ts';
import * as refusals from './refusals.ts';
import { endSession, Sessions } from './session.ts';
import { TokenGuard } from './token-guard.ts';

/** The rules of access, as the configuration states them. */
export interface AdminAccess {
  /** `listen.admin`, for messages. */
  address: string;
  /** Only this machine can reach the listener. */
  loopback: boolean;
  /** Further names of the listener, in lower case. */
  hosts: readonly string[];
  token: string | undefined;
  metricsToken: string | undefined;
  trustedProxies: NetworkSet | undefined;
}

export interface AdminHandlerOptions {
  /** Asked at each request, so that a reload takes effect. */
  access: () => AdminAccess;
  answer: (request: AdminRequest) => Promise<AdminAnswer>;
  /** Called with the address of a client that showed a wrong token. */
  onWrongToken: (address: string) => void;
  guard?: TokenGuard;
  /** Epoch milliseconds. */
  now?: () => number;
}

/** Probes ask these by the address of a pod or a VIP, and have no token. The answers reveal nothing. */
const OPEN_PATHS = new Set(['/healthz', '/readyz']);

/** Checks the requests of the admin listener by host, token or session, and origin, before they are answered. */
export class AdminHandler {
  readonly #options: AdminHandlerOptions;
  readonly #guard: TokenGuard;
  #sessions: { token: string; sessions: Sessions } | undefined;

  constructor(options: AdminHandlerOptions) {
    this.#options = options;
    this.#guard = options.guard ?? new TokenGuard();
  }

  handle(req: IncomingMessage, res: ServerResponse): void {
    this.#answer(req)
      .then(({ status, headers, body }) => {
        // The rest of a body must be read before the connection can carry the next request.
        req.resume();
        res.writeHead(status, {
          'cache-control': 'no-store',
          'cross-origin-resource-policy': 'same-origin',
          'x-content-type-options': 'nosniff',
          'content-length': String(Buffer.byteLength(body)),
          ...headers,
        });
        res.end(req.method === 'HEAD' ? undefined : body);
      })
      .catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined));
  }

  async #answer(req: IncomingMessage): Promise<AdminAnswer> {
    const request = requestOf(req);
    if (!request) return refuse(req, refusals.MALFORMED);
    if (OPEN_PATHS.has(request.path)) return this.#options.answer(request);
    const access = this.#options.access();
    if (!isKnownHost(req.headers.host, req.socket.localAddress ?? '', access.hosts))
      return refuse(req, refusals.unknownHost(req.headers.host));
    return access.token === undefined
      ? this.#withoutToken(req, request, access)
      : this.#withToken(req, request, access, access.token);
  }

  async #withoutToken(req: IncomingMessage, request: AdminRequest, access: AdminAccess): Promise<AdminAnswer> {
    if (access.loopback) {
      if (isChange(request)) return refuse(req, refusals.CHANGE_WITHOUT_TOKEN);
      return this.#options.answer(request);
    }
    const shown = bearerIn(req.headers.authorization);
    if (shown === undefined || access.metricsToken === undefined) return refuse(req, refusals.noToken(access.address));
    return this.#withBearer(shown, req, request, access);
  }

  async #withToken(
    req: IncomingMessage,
    request: AdminRequest,
    access: AdminAccess,
    token: string,
  ): Promise<AdminAnswer> {
    const { method, path } = request;
    const shown = bearerIn(req.headers.authorization);
    if (shown !== undefined) return this.#withBearer(shown, req, request, access);
    if (path === '/login' && method === 'POST') return this.#logIn(req, access, token);
    if (!(await this.#sessionsOf(token).isIn(req.headers.cookie))) return refuse(req, refusals.LOGIN_NEEDED);
    if (isChange(request) && !isSameOrigin(req.headers)) return refuse(req, refusals.OTHER_ORIGIN);
    if (path === '/logout' && method === 'POST') return redirect(endSession(isHttps(req.headers)));
    return path === '/login' ? redirect() : this.#options.answer({ ...request, session: true });
  }

  async #withBearer(
    shown: string,
    req: IncomingMessage,
    request: AdminRequest,
    access: AdminAccess,
  ): Promise<AdminAnswer> {
    const { token, metricsToken } = access;
    const tokens = [token, metricsToken].filter((one) => one !== undefined);
    const verdict = await this.#guard.check(shown, tokens, addressOf(req, access));
    if (typeof verdict !== 'object' || 'waitMs' in verdict) return this.#refuseToken(req, access, verdict);
    const opensAll = tokens[verdict.right] === token;
    if (!opensAll && (request.path !== '/metrics' || isChange(request))) return refuse(req, refusals.METRICS_ONLY);
    return this.#options.answer(request);
  }

  async #logIn(req: IncomingMessage, access: AdminAccess, token: string): Promise<AdminAnswer> {
    // The origin is checked before the token: a page of another site must not use up the tries of its visitor.
    if (!isSameOrigin(req.headers)) return refuse(req, refusals.OTHER_ORIGIN);
    const shown = new URLSearchParams(await text(req)).get('token')?.trim() ?? '';
    if (shown === '') return refuse(req, refusals.LOGIN_NEEDED);
    const verdict = await this.#guard.check(shown, [token], addressOf(req, access));
    if (typeof verdict !== 'object' || 'waitMs' in verdict) return this.#refuseToken(req, access, verdict);
    return redirect(await this.#sessionsOf(token).start(isHttps(req.headers)));
  }

  #refuseToken(req: IncomingMessage, access: AdminAccess, verdict: 'wrong' | { waitMs: number }): AdminAnswer {
    if (verdict !== 'wrong') return refuse(req, refusals.tooManyWrong(verdict.waitMs));
    this.#options.onWrongToken(addressOf(req, access));
    return refuse(req, refusals.WRONG_TOKEN);
  }

  #sessionsOf(token: string): Sessions {
    if (this.#sessions?.token !== token) this.#sessions = { token, sessions: new Sessions(token, this.#options.now) };
    return this.#sessions.sessions;
  }
}

/** Undefined if the target is no path. The path is not decoded, so that every part of the program reads the same path. */
function requestOf({ method = '', url = '' }: IncomingMessage): AdminRequest | undefined {
  const [, path, query] = /^(\/[^?]*)(?:\?(.*))?$/s.exec(url) ?? [];
  if (path === undefined) return undefined;
  return { method, path, query: new URLSearchParams(query), session: false };
}

function isChange({ method }: AdminRequest): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

/** The token of an Authorization header (RFC 6750 section 2.1); undefined if it holds none. */
function bearerIn(header: string | undefined): string | undefined {
  return /^bearer +(.+)$/i.exec(header ?? '')?.[1]?.trim();
}

function addressOf({ socket, headers }: IncomingMessage, { trustedProxies }: AdminAccess): string {
  const address = socket.remoteAddress ?? '';
  const forwarded = headers['x-forwarded-for'];
  return trustedProxies ? clientAddress(address, forwarded?.toString(), trustedProxies) : address;
}

function refuse(req: IncomingMessage, refusal: Refusal): AdminAnswer {
  return refusalAnswer(refusal, req.headers.accept);
}

/** To the status page. */
function redirect(setCookie?: string): AdminAnswer {
  return { status: 303, headers: { location: '/', ...(setCookie ? { 'set-cookie': setCookie } : {}) }, body: '' };
}
