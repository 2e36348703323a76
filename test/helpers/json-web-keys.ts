import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { Owner } from './temporary-folder.ts';

export const ISSUER = 'https://kubernetes.default.svc';
export const AUDIENCE = 'cr.example.io';
export const SUBJECT = 'system:serviceaccount:team:puller';

/** A key of an issuer of JWTs. */
export class SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly publicKey: JWK;
  readonly #privateKey: CryptoKey;

  constructor(kid: string, alg: string, publicKey: JWK, privateKey: CryptoKey) {
    this.kid = kid;
    this.alg = alg;
    this.publicKey = publicKey;
    this.#privateKey = privateKey;
  }

  static async make(kid: string, alg = 'ES256'): Promise<SigningKey> {
    const { publicKey, privateKey } = await generateKeyPair(alg);
    return new SigningKey(kid, alg, { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }, privateKey);
  }

  /** A token that is good for an hour, with some claims changed; undefined: left out. */
  sign(claims: Record<string, unknown> = {}, header: object = {}, now = Date.now()): Promise<string> {
    const seconds = Math.floor(now / 1000);
    const usual = {
      iss: ISSUER,
      aud: [AUDIENCE],
      sub: SUBJECT,
      exp: seconds + 3600,
      nbf: seconds,
      jti: crypto.randomUUID(),
    };
    const payload = Object.fromEntries(
      Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined),
    );
    return new SignJWT(payload).setProtectedHeader({ alg: this.alg, kid: this.kid, ...header }).sign(this.#privateKey);
  }
}

/** Serves the keys of an issuer over HTTP. */
export async function serveKeys(
  owner: Owner,
  keys: JWK[],
): Promise<{ url: string; asked: () => number; answer: { status: number; body: string } }> {
  let asked = 0;
  const answer = { status: 200, body: JSON.stringify({ keys }) };
  const server = createServer((_, response) => {
    asked += 1;
    response.writeHead(answer.status, { location: '/elsewhere' }).end(answer.body);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  owner.teardown(() => server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/openid/v1/jwks`;
  return { url, asked: () => asked, answer };
}
