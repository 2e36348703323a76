import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AuthorityUsers, allowed, userOf } from './authority-users.ts';
import { RegistryFront } from './registry-front.ts';
import { makeSignedTokens, type SignedTokens } from './signed-tokens.ts';
import type { Owner } from './temporary-folder.ts';

const GITLAB = { issuer: 'gitlab-issuer', service: 'container_registry', lifetime: 300 };

/**
 * A token service as GitLab's: on another host than the registry, GET only (POST is 404), a reply that says nothing but the token,
 * 403 to nobody, 500 while its database is down.
 */
export class GitlabTokenService {
  readonly users: AuthorityUsers;
  readonly front: RegistryFront;
  readonly #tokens: SignedTokens;

  constructor(owner: Owner, users: AuthorityUsers, tokens: SignedTokens) {
    this.users = users;
    this.#tokens = tokens;
    this.front = new RegistryFront(owner, (request, response) => this.#answer(request, response), broken);
  }

  /** What stands under `auth` in the configuration of docker-registry. The registry is on 127.0.0.1, and this is on `localhost`. */
  get registryAuth(): object {
    return this.#tokens.registryAuth(`http://localhost:${this.front.port}/jwt/auth`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<'answered'> {
    const url = new URL(request.url ?? '', 'http://gitlab');
    if (request.method !== 'GET' || url.pathname !== '/jwt/auth') return end(response, 404, {});
    const { authorization } = request.headers;
    const scopes = url.searchParams.getAll('scope');
    const user = userOf(this.users, authorization);
    if (user === undefined)
      return end(response, authorization === undefined ? 403 : 401, { errors: [{ code: 'DENIED' }] });
    return end(response, 200, { token: await this.#tokens.make(user, allowed(this.users, user, scopes)) });
  }
}

export async function startGitlabTokenService(owner: Owner, users: AuthorityUsers): Promise<GitlabTokenService> {
  const started = new GitlabTokenService(owner, users, await makeSignedTokens(owner, GITLAB));
  await started.front.listen();
  return started;
}

function end(response: ServerResponse, status: number, content: unknown): 'answered' {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(content));
  return 'answered';
}

async function broken(_request: IncomingMessage, response: ServerResponse): Promise<'answered'> {
  return end(response, 500, { message: '500 Internal Server Error' });
}
