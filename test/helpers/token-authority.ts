import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { importPKCS8, SignJWT } from 'jose';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { parseScope } from '../../src/oci/scope.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';

export interface AuthorityUser {
  password: string;
  /** Beginnings of repository names -> actions. */
  may: Record<string, readonly string[]>;
}

const ISSUER = 'harbor-token-issuer';
const SERVICE = 'harbor-registry';
const LIFETIME = 1800;

/**
 * A token service as Harbor's: GET only (POST is 405), a signed JWT with `access`, 30 minutes, the intersection of what is asked and
 * allowed, 401 for wrong passwords. A real docker-registry verifies its tokens by `certificateFile`.
 */
export class TokenAuthority {
  readonly users: Record<string, AuthorityUser>;
  readonly certificateFile: string;
  /** Requests that it has answered. */
  asked = 0;
  readonly #server: Server;
  readonly #certificate: string;
  readonly #key: string;

  constructor(owner: Owner, users: Record<string, AuthorityUser>, { cert, key }: { cert: string; key: string }) {
    this.users = users;
    this.#certificate = cert;
    this.#key = key;
    this.certificateFile = join(temporaryFolder(owner), 'token.crt');
    writeFileSync(this.certificateFile, cert);
    this.#server = createServer((request, response) => void this.#answer(request, response));
    owner.teardown(() => this.close());
  }

  async listen(port = 0): Promise<this> {
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  /** What stands under `auth` in the configuration of docker-registry. */
  get registryAuth(): object {
    const { port } = this.#server.address() as AddressInfo;
    const realm = `http://127.0.0.1:${port}/service/token`;
    return { token: { realm, service: SERVICE, issuer: ISSUER, rootcertbundle: this.certificateFile } };
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.asked += 1;
    const end = (status: number, content: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(content));
    };
    if (request.method !== 'GET') return end(405, { errors: [{ code: 'METHOD_NOT_ALLOWED' }] });
    const [, encoded = ''] = (request.headers.authorization ?? '').split(' ');
    const [name = '', password] = Buffer.from(encoded, 'base64').toString().split(':');
    const user = this.users[name];
    if (!user || user.password !== password) return end(401, { errors: [{ code: 'UNAUTHORIZED' }] });
    const query = new URL(request.url ?? '', 'http://token').searchParams;
    const access = query.getAll('scope').flatMap((text) => {
      const scope = parseScope(text);
      const allowed = Object.entries(user.may).find(([prefix]) => scope?.name.startsWith(prefix))?.[1] ?? [];
      const actions = scope?.actions.filter((action) => allowed.includes(action)) ?? [];
      return scope && actions.length > 0 ? [{ ...scope, actions }] : [];
    });
    const der = this.#certificate.replace(/-----[A-Z ]+-----|\s/g, '');
    const token = await new SignJWT({ access })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', x5c: [der] })
      .setIssuer(ISSUER)
      .setAudience(SERVICE)
      .setSubject(name)
      .setIssuedAt()
      .setNotBefore('-10s')
      .setExpirationTime(`${LIFETIME}s`)
      .setJti(String(this.asked))
      .sign(await importPKCS8(this.#key, 'ES256'));
    end(200, { token, access_token: token, expires_in: LIFETIME, issued_at: new Date().toISOString() });
  }
}

export async function startTokenAuthority(owner: Owner, users: Record<string, AuthorityUser>): Promise<TokenAuthority> {
  return new TokenAuthority(owner, users, await makeCertificate()).listen();
}
