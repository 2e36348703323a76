import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOCK_MS } from '../../src/failover/authority-evidence.ts';
import { type AuthorityUsers, allowed, userOf } from './authority-users.ts';
import { makeSignedTokens, type SignedTokens } from './signed-tokens.ts';
import type { Owner } from './temporary-folder.ts';

const HARBOR = { issuer: 'harbor-token-issuer', service: 'harbor-registry', lifetime: 1800 };

/**
 * A token service as Harbor's: GET only (POST is 405), a JWT (RS256) with `access`, 30 minutes, the intersection of what is asked and
 * allowed, 401 for wrong passwords. A real docker-registry verifies its tokens.
 */
export class TokenAuthority {
  readonly users: AuthorityUsers;
  /** Requests that it has answered. */
  asked = 0;
  readonly #tokens: SignedTokens;
  readonly #server: Server;

  constructor(owner: Owner, users: AuthorityUsers, tokens: SignedTokens) {
    this.users = users;
    this.#tokens = tokens;
    this.#server = createServer((request, response) => void this.answer(request, response));
    owner.teardown(() => this.close());
  }

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  /** Of the service that its tokens are for. */
  get service(): string {
    return HARBOR.service;
  }

  /** Where tokens are asked for. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}/service/token`;
  }

  /** What stands under `auth` in the configuration of docker-registry. */
  get registryAuth(): object {
    const { port } = this.#server.address() as AddressInfo;
    return this.authAt(`127.0.0.1:${port}`);
  }

  /** The same, where the token service is reached by another address. */
  authAt(address: string): object {
    return this.#tokens.registryAuth(`http://${address}/service/token`);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.asked += 1;
    const end = (status: number, content: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(content));
    };
    if (request.method !== 'GET') return end(405, { errors: [{ code: 'METHOD_NOT_ALLOWED' }] });
    const user = userOf(this.users, request.headers.authorization);
    if (user === undefined) {
      // As Harbor: a wrong password is refused after a while.
      await sleep(LOCK_MS);
      return end(401, { errors: [{ code: 'UNAUTHORIZED' }] });
    }
    const query = new URL(request.url ?? '', 'http://token').searchParams;
    const token = await this.#tokens.make(user, allowed(this.users, user, query.getAll('scope')));
    const { lifetime } = this.#tokens.options;
    end(200, { token, access_token: token, expires_in: lifetime, issued_at: new Date().toISOString() });
  }
}

/** Not yet listening: for use behind an address of another. */
export async function makeTokenAuthority(owner: Owner, users: AuthorityUsers): Promise<TokenAuthority> {
  return new TokenAuthority(owner, users, await makeSignedTokens(owner, HARBOR));
}

export async function startTokenAuthority(owner: Owner, users: AuthorityUsers): Promise<TokenAuthority> {
  return (await makeTokenAuthority(owner, users)).listen();
}
