import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http';
import type { Test } from 'tap';
import { type AdminAccess, AdminHandler } from '../../src/admin/admin-handler.ts';
import { TokenGuard } from '../../src/admin/token-guard.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { createAdminServer } from '../../src/server/admin-listener.ts';
import { closeNow, listenOn } from '../../src/server/bound-address.ts';

export const TOKEN = 'the-token-of-the-admin';
export const METRICS_TOKEN = 'the-token-of-metrics';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface AskOptions {
  method?: string;
  headers?: OutgoingHttpHeaders;
  body?: string;
  agent?: http.Agent;
  localAddress?: string;
}

/** An admin listener with what guards it; what it shows is only the path and whether a session asks. */
export class AdminSite {
  readonly port: number;
  readonly address: string;
  /** Addresses that showed a wrong token. */
  readonly wrong: string[];
  /** Reports for the audit. */
  readonly changes: object[];
  access: AdminAccess;
  /** Milliseconds that the clock of sessions and failures is ahead. */
  ahead = 0;

  constructor(address: string, port: number, access: AdminAccess, wrong: string[], changes: object[]) {
    this.address = address;
    this.port = port;
    this.access = access;
    this.wrong = wrong;
    this.changes = changes;
  }

  async ask(path: string, { method = 'GET', headers = {}, body, ...others }: AskOptions = {}): Promise<Reply> {
    const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
    const options = { host: this.address, port: this.port, path, method, agent: false as const, ...others };
    const request = http.request({ ...options, headers: { ...length, ...headers } });
    request.end(body);
    const [response] = await once(request, 'response');
    const text = Buffer.concat(await response.toArray()).toString();
    return { status: response.statusCode, headers: response.headers, body: text };
  }

  bearer(path: string, token: string, options: AskOptions = {}): Promise<Reply> {
    return this.ask(path, { ...options, headers: { ...options.headers, authorization: `Bearer ${token}` } });
  }

  /** The login form of this listener's own page. */
  logIn(token: string, headers: OutgoingHttpHeaders = {}): Promise<Reply> {
    return this.ask('/login', {
      method: 'POST',
      headers: {
        origin: `http://${this.address}:${this.port}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'text/html',
        ...headers,
      },
      body: new URLSearchParams({ token }).toString(),
    });
  }

  /** The Cookie header of a browser that has logged in. */
  async cookie(): Promise<string> {
    return cookieIn(await this.logIn(TOKEN));
  }
}

export function cookieIn({ headers }: Reply): string {
  return headers['set-cookie']?.[0]?.split(';')[0] ?? '';
}

export async function startAdminSite(
  t: Test,
  over: Partial<AdminAccess> = {},
  { address = '127.0.0.1', delayMs = 1 } = {},
): Promise<AdminSite> {
  const access: AdminAccess = {
    address: `${address}:9443`,
    loopback: true,
    hosts: [],
    token: undefined,
    metricsToken: undefined,
    trustedProxies: undefined,
    ...over,
  };
  const clock = (start: number) => start + (site?.ahead ?? 0);
  const wrong: string[] = [];
  const changes: object[] = [];
  const handler = new AdminHandler({
    access: () => site.access,
    answer: async ({ method, path, session }) => ({
      status: 200,
      headers: { 'content-type': 'text/plain' },
      body: `${method} ${path}${session ? ' session' : ''}`,
    }),
    onWrongToken: (client) => wrong.push(client),
    onChange: (change) => changes.push(change),
    guard: new TokenGuard(new FailureLimit(10, 6000, () => clock(0)), delayMs),
    clocks: () => ({ monotonic: clock(0), wall: clock(Date.now()) }),
  });
  const onError = (error: unknown) => t.fail(String(error));
  const server = createAdminServer((req, res) => handler.handle(req, res), onError);
  const { port } = await listenOn(server, `${address}:0`, onError);
  t.teardown(() => closeNow(server));
  const site: AdminSite = new AdminSite(address === '0.0.0.0' ? '127.0.0.1' : address, port, access, wrong, changes);
  return site;
}
