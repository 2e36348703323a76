// Before x509: its dependency injection reads metadata when it is loaded.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { SignJWT } from 'jose';
import type { Scope } from '../../src/oci/scope.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';

export interface SignedTokensOptions {
  issuer: string;
  service: string;
  /** Seconds. */
  lifetime: number;
}

const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
};

/** Makes tokens (RS256, as Harbor and GitLab) that a real docker-registry verifies by itself, with `certificateFile`. */
export class SignedTokens {
  readonly options: SignedTokensOptions;
  readonly certificateFile: string;
  readonly #certificate: x509.X509Certificate;
  readonly #key: webcrypto.CryptoKey;
  #made = 0;

  constructor(
    owner: Owner,
    options: SignedTokensOptions,
    { certificate, key }: { certificate: x509.X509Certificate; key: webcrypto.CryptoKey },
  ) {
    this.options = options;
    this.#certificate = certificate;
    this.#key = key;
    this.certificateFile = join(temporaryFolder(owner), 'token.crt');
    writeFileSync(this.certificateFile, certificate.toString('pem'));
  }

  /** What stands under `auth` in the configuration of docker-registry. @param realm URL of the token service */
  registryAuth(realm: string): object {
    const { issuer, service } = this.options;
    return { token: { realm, service, issuer, rootcertbundle: this.certificateFile } };
  }

  async make(user: string, access: readonly Scope[]): Promise<string> {
    const { issuer, service, lifetime } = this.options;
    const der = Buffer.from(this.#certificate.rawData).toString('base64');
    this.#made += 1;
    return new SignJWT({ access })
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', x5c: [der] })
      .setIssuer(issuer)
      .setAudience(service)
      .setSubject(user)
      .setIssuedAt()
      .setNotBefore('-10s')
      .setExpirationTime(`${lifetime}s`)
      .setJti(String(this.#made))
      .sign(this.#key);
  }
}

export async function makeSignedTokens(owner: Owner, options: SignedTokensOptions): Promise<SignedTokens> {
  x509.cryptoProvider.set(webcrypto as Crypto);
  const keys = await webcrypto.subtle.generateKey(RSA, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${options.issuer}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: RSA,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, 0, true)],
  });
  return new SignedTokens(owner, options, { certificate, key: keys.privateKey });
}
