import { OciError } from '../oci/error.ts';
import type { Metrics } from './metrics/metrics.ts';
import { PAGE_FILES } from './page/page-files.ts';
import { PAGE_HEADERS, renderPage } from './page/status-page.ts';
import type { Snapshot } from './snapshot/snapshot.ts';

export type Phase = 'starting' | 'serving' | 'draining';

export interface AdminParts {
  phase: () => Phase;
  /** Why this node may not hold the VIP. Undefined: it may. */
  vipObstacle: () => string | undefined;
  snapshot: () => Snapshot;
  metrics: Pick<Metrics, 'text' | 'contentType'>;
  /** Says which upstreams a pull and a push of the image would ask, and why. @throws OciError */
  explain: (image: string) => unknown;
  /** Also asks them for the image, and says what is known of a user's rights. @throws OciError */
  explainNow: (image: string, user: string | undefined) => Promise<unknown>;
  /** Says what happened to a request. @throws OciError */
  explainRequest: (id: string) => unknown;
  /** Takes what an upstream shows for true. @param what an upstream, or an image @throws OciError */
  accept: (what: string) => Promise<unknown>;
  /** Orders the certificate of `tls.acme` now. @throws OciError */
  orderCertificate: () => unknown;
  /** Says which tags could be pulled without the push upstream. @throws OciError */
  coverage: (query: URLSearchParams) => unknown;
}

export interface AdminRequest {
  method: string;
  /** Path as sent, such as `/api/status`. */
  path: string;
  query: URLSearchParams;
  /** Whether the request comes from a browser that has logged in. */
  session: boolean;
}

export interface AdminAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** Answers a request of the admin listener. Never rejects: an error becomes an answer. */
export async function adminAnswer(parts: AdminParts, request: AdminRequest): Promise<AdminAnswer> {
  const { method, path } = request;
  try {
    const change = Object.hasOwn(CHANGES, path) ? CHANGES[path] : undefined;
    const handler = change ?? (Object.hasOwn(PATHS, path) ? PATHS[path] : undefined);
    if (!handler) throw new OciError('UNSUPPORTED', 'the admin listener has no such path', { status: 404 });
    const allow = change ? 'POST' : 'GET, HEAD';
    if (!allow.split(', ').includes(method)) {
      const message = `this path takes only ${allow.replace(', ', ' and ')}`;
      throw new OciError('UNSUPPORTED', message, { headers: { allow } });
    }
    return await handler(parts, request);
  } catch (error) {
    const known =
      error instanceof OciError ? error : new OciError('UNKNOWN', `the edge could not answer: ${String(error)}`);
    const headers = { 'content-type': 'application/json', ...known.headers };
    return { status: known.status, headers, body: known.body() };
  }
}

type PathHandler = (parts: AdminParts, request: AdminRequest) => AdminAnswer | Promise<AdminAnswer>;

/** Paths that change something, by POST. `AdminHandler` lets them through only with the admin token. */
const CHANGES: Record<string, PathHandler> = {
  '/api/accept': async ({ accept }, { query }) => {
    const what = query.get('what');
    if (what === null || what === '')
      throw new OciError('NAME_INVALID', 'name an upstream or an image: ?what=harbor, ?what=library/app:1.2');
    return json(200, await accept(what));
  },
  '/api/cert-order': ({ orderCertificate }) => json(200, orderCertificate()),
};

const PATHS: Record<string, PathHandler> = {
  '/healthz': () => json(200, { alive: true }),
  '/readyz': ({ phase }) => readiness(phase()),
  '/vipz': ({ vipObstacle }) => vipAnswer(vipObstacle()),
  '/metrics': async ({ metrics }) => ({
    status: 200,
    headers: { 'content-type': metrics.contentType },
    body: await metrics.text(),
  }),
  '/api/status': ({ snapshot }) => json(200, snapshot()),
  '/api/explain': async ({ explain, explainNow, explainRequest }, { query }) => {
    const [image, request] = ['image', 'request'].map((name) => query.get(name) ?? '');
    if (request) return json(200, explainRequest(request));
    if (!image) throw new OciError('NAME_INVALID', 'name an image or a request: ?image=library/app:1.2, ?request=ID');
    return json(200, query.has('ask') ? await explainNow(image, query.get('user') || undefined) : explain(image));
  },
  '/api/coverage': ({ coverage }, { query }) => json(200, coverage(query)),
  '/': ({ snapshot }, { session }) => ({ status: 200, headers: PAGE_HEADERS, body: renderPage(snapshot(), session) }),
  ...Object.fromEntries(
    [...PAGE_FILES].map(([path, { contentType, body }]) => [
      path,
      () => ({ status: 200, headers: { 'content-type': contentType }, body }),
    ]),
  ),
};

/** An edge whose upstreams are down is still ready, because another edge would have the same upstreams (docs/operations.md). */
function readiness(phase: Phase): AdminAnswer {
  if (phase === 'serving') return json(200, { ready: true });
  const reason = phase === 'starting' ? 'not started yet' : 'draining';
  return json(503, { ready: false, reason });
}

/** One line of text, because keepalived's log and an operator with curl read it. */
function vipAnswer(obstacle: string | undefined): AdminAnswer {
  const headers = { 'content-type': 'text/plain; charset=utf-8' };
  if (obstacle === undefined) return { status: 200, headers, body: 'may hold the VIP\n' };
  return { status: 503, headers, body: `must not hold the VIP: ${obstacle}\n` };
}

function json(status: number, content: unknown): AdminAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(content, null, 2)}\n` };
}
