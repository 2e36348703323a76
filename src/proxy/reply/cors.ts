import type { Config } from '../../config/schema.ts';
import type { Reply } from './reply.ts';

type Headers = Record<string, string>;

const EXPOSED = [
  'Docker-Content-Digest',
  'Docker-Distribution-API-Version',
  'Docker-Upload-UUID',
  'Link',
  'Location',
  'OCI-Filters-Applied',
  'OCI-Subject',
  'Range',
  'Retry-After',
  'Warning',
  'WWW-Authenticate',
  'X-Breakwater-Upstream',
  'X-Request-Id',
].join(', ');
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
const SENT = 'Accept, Authorization, Cache-Control, Content-Range, Content-Type, If-None-Match, Range';

/**
 * What lets the page of another origin read a reply (Fetch standard, "CORS protocol"). Credentials are never allowed: pages send an
 * Authorization of their own, and the edge has no cookies.
 * @param origin the Origin of the request
 */
export function corsHeaders(cors: Config['cors'], origin: string | undefined): Headers {
  if (!cors) return {};
  const { origins } = cors;
  const exposed = { 'access-control-expose-headers': EXPOSED };
  if (origins.includes('*')) return { 'access-control-allow-origin': '*', ...exposed };
  if (origin === undefined || !origins.includes(origin)) return { vary: 'Origin' };
  return { vary: 'Origin', 'access-control-allow-origin': origin, ...exposed };
}

/** The answer to the OPTIONS that a browser sends first. It comes without a login, and tells nothing of the registry. */
export function preflightReply(): Reply {
  const headers: [string, string][] = [
    ['access-control-allow-methods', METHODS],
    ['access-control-allow-headers', SENT],
    ['access-control-max-age', '600'],
  ];
  return { status: 204, headers, body: undefined, upstream: undefined };
}
