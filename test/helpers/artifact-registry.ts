import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { OciError } from '../../src/oci/error.ts';
import { parseRequest } from '../../src/oci/request.ts';
import { formatScope, parseScope, type Scope } from '../../src/oci/scope.ts';
import { type AuthorityUsers, allowed, userOf } from './authority-users.ts';
import { RegistryFront } from './registry-front.ts';
import type { Owner } from './temporary-folder.ts';

const NAME = '_json_key';
const SECONDS = 3600;

/**
 * A real registry behind what Google's Artifact Registry does: the user is `_json_key` and the password says who; tokens are opaque and
 * are for one scope at a time, and 403 where it is not allowed; the challenge of /v2/ names no service; blobs are redirected to a
 * relative path outside of /v2/ that needs no token.
 */
export class ArtifactRegistry {
  /** By principal, whatever the name in the request; the password is the key file. */
  readonly users: AuthorityUsers;
  readonly front: RegistryFront;
  /** Requests for tokens, as the scopes that they asked for. */
  readonly asked: string[][] = [];
  readonly #tokens = new Map<string, Scope[]>();
  readonly #downloads = new Map<string, string>();

  constructor(owner: Owner, users: AuthorityUsers) {
    this.users = users;
    this.front = new RegistryFront(owner, (request, response) => this.#answer(request, response), unavailable);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<'answered' | 'pass'> {
    const url = new URL(request.url ?? '', `http://${this.front.address}`);
    const download = this.#downloads.get(url.pathname);
    if (download !== undefined) {
      request.url = download;
      return 'pass';
    }
    if (url.pathname === '/v2/token') return this.#token(request, response, url.searchParams);
    const needed = scopeNeededBy(request.method ?? '', url);
    const opened = this.#tokens.get((request.headers.authorization ?? '').replace(/^Bearer /i, ''));
    if (!opened) return this.#challenge(response, needed);
    if (needed && !covers(opened, needed)) return end(response, 403, 'DENIED');
    delete request.headers.authorization;
    if (request.method !== 'GET' || !/\/blobs\/[^/]+$/.test(url.pathname)) return 'pass';
    const path = `/artifacts-downloads/${randomBytes(12).toString('base64url')}`;
    this.#downloads.set(path, url.pathname);
    response.writeHead(302, { location: path, 'content-length': '0' }).end();
    return 'answered';
  }

  #token(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): 'answered' {
    if (request.method !== 'GET') return end(response, 404, 'UNSUPPORTED');
    const scopes = query.getAll('scope').flatMap((text) => text.split(' '));
    this.asked.push(scopes);
    const user = this.#userOf(request.headers.authorization);
    if (user === undefined) return end(response, 401, 'UNAUTHORIZED');
    if (scopes.length > 1) return end(response, 400, 'UNSUPPORTED');
    const granted = allowed(this.users, user, scopes);
    if (scopes.some((text) => parseScope(text)) && granted.length === 0) return end(response, 403, 'DENIED');
    const token = randomBytes(120).toString('base64url');
    this.#tokens.set(token, granted);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ token, expires_in: SECONDS, issued_at: new Date().toISOString() }));
    return 'answered';
  }

  #userOf(authorization: string | undefined): string | undefined {
    const byName = Object.keys(this.users).find((principal) => {
      const user = this.users[principal];
      return user && userOf({ [NAME]: user }, authorization) === NAME;
    });
    return byName;
  }

  #challenge(response: ServerResponse, needed: Scope | undefined): 'answered' {
    const { address } = this.front;
    const realm = `Bearer realm="http://${address}/v2/token"`;
    const more = needed ? `,service="${address}",scope="${formatScope(needed)}"` : '';
    response.setHeader('www-authenticate', realm + more);
    return end(response, 401, 'UNAUTHORIZED');
  }
}

export async function startArtifactRegistry(owner: Owner, users: AuthorityUsers): Promise<ArtifactRegistry> {
  const started = new ArtifactRegistry(owner, users);
  await started.front.listen();
  return started;
}

function scopeNeededBy(method: string, url: URL): Scope | undefined {
  try {
    const request = parseRequest(method, url.pathname, url.searchParams);
    if (!('repository' in request)) return undefined;
    const actions = method === 'GET' || method === 'HEAD' ? ['pull'] : ['push'];
    // Whoever uploads may look at the upload.
    return { type: 'repository', name: request.repository, actions: request.kind === 'upload' ? ['push'] : actions };
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

function covers(opened: readonly Scope[], { name, actions }: Scope): boolean {
  return actions.every((action) => opened.some((scope) => scope.name === name && scope.actions.includes(action)));
}

function end(response: ServerResponse, status: number, code: string): 'answered' {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }));
  return 'answered';
}

async function unavailable(_request: IncomingMessage, response: ServerResponse): Promise<'answered'> {
  return end(response, 503, 'UNAVAILABLE');
}
