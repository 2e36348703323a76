import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MANIFEST_TYPE, manifestOf, sha256 } from '../helpers/lab-site.ts';
import type { Owner } from '../helpers/temporary-folder.ts';

export const CONTENT = Buffer.from('the bytes of a blob '.repeat(2000));
export const MANIFEST = manifestOf(CONTENT);
export const [BLOB_DIGEST, MANIFEST_DIGEST] = [sha256(CONTENT), sha256(MANIFEST)];

/** What a poisoned repository or reference makes the upstreams answer. */
const POISONS: Record<string, (request: IncomingMessage, response: ServerResponse) => unknown> = {
  500: status(500),
  502: status(502),
  503: status(503),
  overload: status(503, { 'retry-after': '60' }),
  429: status(429, { 'retry-after': '60' }),
  400: status(400),
  401: status(401),
  403: status(403),
  404: status(404),
  416: (_, response) => {
    // As registries built with old Go: more is announced than comes.
    response.writeHead(416, { 'content-length': CONTENT.length }).write('invalid');
    setImmediate(() => response.destroy());
  },
  reset: ({ socket }) => socket.destroy(),
  broken: (_, response) => {
    response.writeHead(200, { 'content-length': CONTENT.length }).write(CONTENT.subarray(0, 20_000));
    setImmediate(() => response.destroy());
  },
  stall: () => undefined,
  stopped: (_, response) =>
    response.writeHead(200, { 'content-length': CONTENT.length }).write(CONTENT.subarray(0, 17_000)),
  wrong: (_, response) => response.writeHead(200, { 'content-length': 2, 'content-type': MANIFEST_TYPE }).end('{}'),
  html: (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
  slow: (request, response) => setTimeout(() => serve(request, response), 60),
};
export const POISON_NAMES = Object.keys(POISONS);

/** Where a poison works: at the primary, or at the fallback too. */
export type Where = 'primary' | 'both';

/** The digest of a blob or a manifest that is poisoned. */
export function poisonedDigest(poison: string, where: Where): string {
  return sha256(`${poison} ${where}`);
}

const BY_DIGEST = new Map(
  POISON_NAMES.flatMap((poison) =>
    (['primary', 'both'] as const).map((where) => [poisonedDigest(poison, where), { poison, where }] as const),
  ),
);

/**
 * Registries of one image in every repository, without a state: the paths say what is poisoned. The first component of
 * a path is the upstream, and `/p` or `/f` for primary and fallback. An upstream in `lost` has lost its storage.
 */
export async function startScriptedUpstreams(owner: Owner): Promise<{ url: string; lost: Set<string> }> {
  const lost = new Set<string>();
  const server = createServer((request, response) => {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const [, site = '', role, ...rest] = (request.url ?? '').split('/');
    request.url = `/${rest.join('/')}`;
    request.resume().once('end', () => {
      if (request.url === '/v2/') return void response.end('{}');
      if (lost.has(site) && role === 'p') return status(500)(request, response);
      const poison = poisonOf(request.url ?? '');
      const applies = poison && (role === 'p' || poison.where === 'both');
      return applies ? POISONS[poison.poison]?.(request, response) : serve(request, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, lost };
}

/** A repository `poison/NAME-WHERE/…`, a tag `poison-NAME-WHERE`, or a digest. */
function poisonOf(url: string): { poison: string; where: Where } | undefined {
  const named = /[/]poison[/-](\w+)-(primary|both)\b/.exec(url);
  if (named?.[1] !== undefined) return { poison: named[1], where: named[2] as Where };
  const digest = /sha256:[0-9a-f]{64}/.exec(url)?.[0];
  return digest === undefined ? undefined : BY_DIGEST.get(digest);
}

function status(code: number, headers: Record<string, string> = {}) {
  return (_: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(code, { 'content-length': 2, ...headers }).end('{}');
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const { method = '', url = '' } = request;
  if (method === 'POST' || method === 'PATCH')
    return void response.writeHead(202, { location: `${url.split('?')[0]}session`, 'content-length': 0 }).end();
  if (method === 'PUT')
    return void response.writeHead(201, { 'docker-content-digest': MANIFEST_DIGEST, 'content-length': 0 }).end();
  if (method === 'DELETE') return void response.writeHead(202, { 'content-length': 0 }).end();
  if (url.endsWith('/tags/list')) return void response.end(JSON.stringify({ name: 'x', tags: ['1'] }));
  const isManifest = url.includes('/manifests/');
  const whole = isManifest ? MANIFEST : CONTENT;
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(isManifest ? '' : (request.headers.range ?? '')) ?? [];
  const part = first === undefined ? whole : whole.subarray(Number(first), last ? Number(last) + 1 : undefined);
  response.writeHead(first === undefined ? 200 : 206, {
    'content-type': isManifest ? MANIFEST_TYPE : 'application/octet-stream',
    'docker-content-digest': isManifest ? MANIFEST_DIGEST : BLOB_DIGEST,
    'content-length': part.length,
    ...(first === undefined
      ? {}
      : { 'content-range': `bytes ${first}-${Number(first) + part.length - 1}/${whole.length}` }),
  });
  response.end(method === 'HEAD' ? undefined : part);
}
