import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { importPKCS8, SignJWT } from 'jose';
import { makeCertificate } from '../../src/lab/certificate.ts';
import type { Scope } from '../../src/oci/scope.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';

export interface SignedTokensOptions {
  issuer: string;
  service: string;
  /** Seconds. */
  lifetime: number;
}

/** Makes tokens that a real docker-registry verifies by itself, with `certificateFile`. */
export class SignedTokens {
  readonly options: SignedTokensOptions;
  readonly certificateFile: string;
  readonly #certificate: string;
  readonly #key: string;
  #made = 0;

  constructor(owner: Owner, options: SignedTokensOptions, { cert, key }: { cert: string; key: string }) {
    this.options = options;
    this.#certificate = cert;
    this.#key = key;
    this.certificateFile = join(temporaryFolder(owner), 'token.crt');
    writeFileSync(this.certificateFile, cert);
  }

  /** What stands under `auth` in the configuration of docker-registry. @param realm URL of the token service */
  registryAuth(realm: string): object {
    const { issuer, service } = this.options;
    return { token: { realm, service, issuer, rootcertbundle: this.certificateFile } };
  }

  async make(user: string, access: readonly Scope[]): Promise<string> {
    const { issuer, service, lifetime } = this.options;
    const der = this.#certificate.replace(/-----[A-Z ]+-----|\s/g, '');
    this.#made += 1;
    return new SignJWT({ access })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', x5c: [der] })
      .setIssuer(issuer)
      .setAudience(service)
      .setSubject(user)
      .setIssuedAt()
      .setNotBefore('-10s')
      .setExpirationTime(`${lifetime}s`)
      .setJti(String(this.#made))
      .sign(await importPKCS8(this.#key, 'ES256'));
  }
}

export async function makeSignedTokens(owner: Owner, options: SignedTokensOptions): Promise<SignedTokens> {
  return new SignedTokens(owner, options, await makeCertificate());
}
