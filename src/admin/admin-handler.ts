import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { clientAddress } from '../auth/caller.ts';
import type { ClockReading } from '../clock/clock.ts';
import type { NetworkSet } from '../config/network.ts';
import { writeAnswer } from '../http/write-answer.ts';
import type { AdminAnswer, AdminRequest } from '../status/admin.ts';
import { isKnownHost } from './known-host.ts';
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
  /** Called with the answer's status of a request that was let through to change something, and of a login. */
  onChange: (change: { client: string; path: string; what: string | undefined; status: number }) => void;
  guard?: TokenGuard;
  clocks?: () => ClockReading;
}

/** Probes ask these by the address of a pod or a VIP, and have no token. The answers reveal nothing. */
const OPEN_PATHS = new Set(['/healthz', '/readyz', '/vipz']);

/** Checks the requests of the admin listener by host, token or session, and origin, before they are answered. */
export class AdminHandler {
  readonly #options: AdminHandlerOptions;
  readonly #guard: TokenGuard;
  #sessions: { token: string; sessions: Sessions } | undefined;

  constructor(options: AdminHandlerOptions) {
    this.#options = options;
    this.#guard = options.guard ?? new TokenGuard();
  }

  async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const given = await this.#answer(req);
    const { status, headers, body } = 'title' in given ? refusalAnswer(given, req.headers.accept) : given;
    // The rest of a body must be read before the connection can carry the next request.
    req.resume();
    const common = {
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'content-length': String(Buffer.byteLength(body)),
    };
    writeAnswer(res, { status, headers: { ...common, ...headers }, body });
  }

  async #answer(req: IncomingMessage): Promise<AdminAnswer | Refusal> {
    const request = requestOf(req);
    if (!request) return refusals.MALFORMED;
    if (OPEN_PATHS.has(request.path)) return this.#options.answer(request);
    const access = this.#options.access();
    if (!isKnownHost(req.headers.host, req.socket.localAddress ?? '', access.hosts))
      return refusals.unknownHost(req.headers.host);
    const { token } = access;
    if (token === undefined && access.loopback)
      return isChange(request) ? refusals.CHANGE_WITHOUT_TOKEN : this.#options.answer(request);
    const shown = bearerIn(req.headers.authorization);
    if (shown !== undefined && (token ?? access.metricsToken) !== undefined)
      return this.#withBearer(shown, req, request, access);
    if (token === undefined) return refusals.noToken(access.address);
    return this.#withSession(req, request, access, token);
  }

  async #withBearer(
    shown: string,
    req: IncomingMessage,
    request: AdminRequest,
    access: AdminAccess,
  ): Promise<AdminAnswer | Refusal> {
    const right = await this.#check(shown, [access.token, access.metricsToken], req, access);
    if (typeof right === 'object') return right;
    if (right !== access.token && (request.path !== '/metrics' || isChange(request))) return refusals.METRICS_ONLY;
    return this.#audited(req, access, request, this.#options.answer(request));
  }

  async #withSession(
    req: IncomingMessage,
    request: AdminRequest,
    access: AdminAccess,
    token: string,
  ): Promise<AdminAnswer | Refusal> {
    const { method, path } = request;
    if (path === '/login' && method === 'POST') return this.#logIn(req, request, access, token);
    if (!(await this.#sessionsOf(token).isIn(req.headers.cookie))) return refusals.LOGIN_NEEDED;
    if (isChange(request) && !isSameOrigin(req.headers)) return refusals.OTHER_ORIGIN;
    if (path === '/logout' && method === 'POST')
      return this.#audited(req, access, request, redirect(endSession(isHttps(req.headers))));
    if (path === '/login') return redirect();
    return this.#audited(req, access, request, this.#options.answer({ ...request, session: true }));
  }

  async #audited(
    req: IncomingMessage,
    access: AdminAccess,
    request: AdminRequest,
    answer: AdminAnswer | Promise<AdminAnswer>,
  ): Promise<AdminAnswer> {
    // A client that has left has no address any more.
    const client = addressOf(req, access);
    const { status, ...rest } = await answer;
    if (isChange(request))
      this.#options.onChange({ client, path: request.path, what: request.query.get('what') ?? undefined, status });
    return { status, ...rest };
  }

  async #logIn(
    req: IncomingMessage,
    request: AdminRequest,
    access: AdminAccess,
    token: string,
  ): Promise<AdminAnswer | Refusal> {
    // The origin is checked before the token: a page of another site must not use up the tries of its visitor.
    if (!isSameOrigin(req.headers)) return refusals.OTHER_ORIGIN;
    // A client that leaves in the middle of its form shows no token.
    const form = await text(req).catch(() => '');
    const shown = new URLSearchParams(form).get('token')?.trim() ?? '';
    if (shown === '') return refusals.LOGIN_NEEDED;
    const right = await this.#check(shown, [token], req, access);
    if (typeof right === 'object') return right;
    return this.#audited(req, access, request, redirect(await this.#sessionsOf(token).start(isHttps(req.headers))));
  }

  /** @returns the token that was shown, or why it is refused */
  async #check(
    shown: string,
    tokens: readonly (string | undefined)[],
    req: IncomingMessage,
    access: AdminAccess,
  ): Promise<string | Refusal> {
    const address = addressOf(req, access);
    const verdict = await this.#guard.check(
      shown,
      tokens.filter((token) => token !== undefined),
      address,
    );
    if (typeof verdict === 'object') return refusals.tooManyWrong(verdict.waitMs);
    if (verdict !== undefined) return verdict;
    this.#options.onWrongToken(address);
    return refusals.WRONG_TOKEN;
  }

  #sessionsOf(token: string): Sessions {
    if (this.#sessions?.token !== token)
      this.#sessions = { token, sessions: new Sessions(token, this.#options.clocks) };
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

/** Whether a page of this listener makes the request. Browsers send one of these headers with every request that can change something. */
function isSameOrigin({ 'sec-fetch-site': site, origin, host }: IncomingHttpHeaders): boolean {
  if (site !== undefined) return site === 'same-origin';
  if (origin === undefined || host === undefined) return false;
  return URL.parse(origin)?.host === host.toLowerCase();
}

/** Whether the browser came by https, through a proxy with TLS. A false claim only makes the client's own cookie useless. */
function isHttps({ origin, 'x-forwarded-proto': proto }: IncomingHttpHeaders): boolean {
  return origin?.startsWith('https:') === true || proto === 'https';
}

/** To the status page. */
function redirect(setCookie?: string): AdminAnswer {
  return { status: 303, headers: { location: '/', ...(setCookie ? { 'set-cookie': setCookie } : {}) }, body: '' };
}
