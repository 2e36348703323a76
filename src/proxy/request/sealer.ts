import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import { KeyRing } from '../../auth/key-ring.ts';

/** The URL of an upstream that an answer came from. */
export interface Origin {
  upstream: string;
  url: string;
}

/** The content of a sealed part of a URL. */
export type Sealed =
  /** An upload session: only its issuer understands the path. */
  | ({ kind: 'upload'; repository: string; path: string } & Origin)
  /** A redirect of an upstream to a path outside of its registry API. */
  | ({ kind: 'download'; path: string; expires: number } & Origin)
  /** The token service of a challenge that was relayed, and the registry whose names the client uses. */
  | ({ kind: 'realm'; realm: string; registry?: string } & Origin);

/**
 * Encrypts values that clients get and send back (JWE, dir, A256GCM; ADR 3). Any edge with the same key can open
 * them, no one else can make one, and they show nothing of the upstream.
 */
export class Sealer {
  readonly #keys: KeyRing;

  /** @param secrets at least one. The first seals, and all of them open. */
  constructor(secrets: readonly Buffer[]) {
    this.#keys = new KeyRing(secrets, 'breakwater sealed locations 1');
  }

  async seal(content: Sealed): Promise<string> {
    const text = new TextEncoder().encode(JSON.stringify(content));
    const { id: kid, secret } = this.#keys.current;
    return new CompactEncrypt(text).setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid }).encrypt(secret);
  }

  /** The content, if it was sealed with one of the keys and is of that kind. */
  async open<K extends Sealed['kind']>(token: string, kind: K): Promise<Extract<Sealed, { kind: K }> | undefined> {
    const content = await this.#decrypt(token);
    if (content?.kind !== kind) return undefined;
    if (content.kind === 'download' && content.expires < Date.now()) return undefined;
    return content as Extract<Sealed, { kind: K }>;
  }

  async #decrypt(token: string): Promise<Sealed | undefined> {
    try {
      const key = this.#keys.find(decodeProtectedHeader(token).kid);
      if (!key) return undefined;
      const { plaintext } = await compactDecrypt(token, key.secret, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      return JSON.parse(new TextDecoder().decode(plaintext));
    } catch {
      // Forged, damaged, or sealed with another key: the sender gets the same answer.
      return undefined;
    }
  }
}
