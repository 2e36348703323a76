import { OciError } from '../oci/error.ts';
import type { Metrics } from './metrics/metrics.ts';
import { PAGE_FILES } from './page/page-files.ts';
import { PAGE_HEADERS, renderPage } from './page/status-page.ts';
import type { Snapshot } from './snapshot/snapshot.ts';

export type Phase = 'starting' | 'serving' | 'draining';

export interface AdminParts {
  phase: () => Phase;
  snapshot: () => Snapshot;
  metrics: Pick<Metrics, 'text' | 'contentType'>;
  /** What would happen to a request for an image. @throws OciError */
  explain: (image: string) => unknown;
  /** What could be pulled without the push upstream. @throws OciError */
  coverage: (query: URLSearchParams) => unknown;
}

export interface AdminRequest {
  method: string;
  /** As it came: `/api/status`. */
  path: string;
  query: URLSearchParams;
  /** It comes from a browser that has logged in, and can log out. */
  session: boolean;
}

export interface AdminAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** What the admin listener shows. It only reads. Never rejects: what went wrong is an answer too. */
export async function adminAnswer(parts: AdminParts, request: AdminRequest): Promise<AdminAnswer> {
  try {
    return await answer(parts, request);
  } catch (error) {
    return failure(error);
  }
}

async function answer(parts: AdminParts, request: AdminRequest): Promise<AdminAnswer> {
  const { method, path } = request;
  const known = Object.hasOwn(PATHS, path) ? PATHS[path] : undefined;
  if (!known) throw new OciError('UNSUPPORTED', 'there is nothing at this path of the admin listener', { status: 404 });
  if (method !== 'GET' && method !== 'HEAD') {
    throw new OciError('UNSUPPORTED', 'this path can only be read', { headers: { allow: 'GET, HEAD' } });
  }
  return known(parts, request);
}

const PATHS: Record<string, (parts: AdminParts, request: AdminRequest) => AdminAnswer | Promise<AdminAnswer>> = {
  '/healthz': () => json(200, { alive: true }),
  '/readyz': ({ phase }) => readiness(phase()),
  '/metrics': async ({ metrics }) => ({
    status: 200,
    headers: { 'content-type': metrics.contentType },
    body: await metrics.text(),
  }),
  '/api/status': ({ snapshot }) => json(200, snapshot()),
  '/api/explain': ({ explain }, { query }) => {
    const image = query.get('image');
    if (image === null || image === '') throw new OciError('NAME_INVALID', 'say which image: ?image=library/app:1.2');
    return json(200, explain(image));
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

/** Says whether this edge can serve; an upstream that is down is no reason to move the VIP (docs/operations.md). */
function readiness(phase: Phase): AdminAnswer {
  if (phase === 'serving') return json(200, { ready: true });
  const reason = phase === 'starting' ? 'not started yet' : 'draining';
  return json(503, { ready: false, reason });
}

function failure(error: unknown): AdminAnswer {
  const known =
    error instanceof OciError ? error : new OciError('UNKNOWN', `the edge could not answer: ${String(error)}`);
  return {
    status: known.status,
    headers: { 'content-type': 'application/json', ...known.headers },
    body: known.body(),
  };
}

function json(status: number, content: unknown): AdminAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: `${JSON.stringify(content, null, 2)}\n` };
}
