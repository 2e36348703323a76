import { createHash, createSecretKey, hkdfSync, type webcrypto } from 'node:crypto';
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';

interface RingKey {
  /** Identifies the key without revealing the secret. */
  id: string;
  /** For A256GCM. The import is done once, since it takes as long as a decryption. */
  secret: webcrypto.CryptoKey;
}

const [ALGORITHM, ENCRYPTION] = ['dir', 'A256GCM'];

/**
 * Keys for one purpose, which seal values as JWE (RFC 7516, `dir` with A256GCM, not compressed). The first key seals and all keys open, so
 * that the edges of a pair can change the secret one after the other. No party without a key can read, make or change a sealed text.
 */
export class KeyRing {
  readonly #current: RingKey;
  readonly #keys: readonly RingKey[];

  /**
   * @param secrets at least one
   * @param purpose keys of one purpose open nothing of another
   */
  constructor(secrets: readonly Buffer[], purpose: string) {
    this.#keys = secrets.map((secret) => derive(secret, purpose));
    const [first] = this.#keys;
    if (!first) throw new Error('a key ring needs a secret');
    this.#current = first;
  }

  /** @param content as JSON writes it. @param header shown to everyone */
  seal(content: object, header: { typ?: string } = {}): Promise<string> {
    const { id: kid, secret } = this.#current;
    return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(content)))
      .setProtectedHeader({ alg: ALGORITHM, enc: ENCRYPTION, ...header, kid })
      .encrypt(secret);
  }

  /** Undefined: forged, damaged, sealed with another key, or of another type. The sender is not told which. */
  async open(text: string, { typ: expected }: { typ?: string } = {}): Promise<unknown> {
    try {
      const { kid, typ, zip } = decodeProtectedHeader(text);
      const key = this.#keys.find(({ id }) => id === kid);
      if (!key || typ !== expected || zip !== undefined) return undefined;
      const { plaintext } = await compactDecrypt(text, key.secret, {
        keyManagementAlgorithms: [ALGORITHM],
        contentEncryptionAlgorithms: [ENCRYPTION],
      });
      return JSON.parse(new TextDecoder().decode(plaintext));
    } catch {
      return undefined;
    }
  }
}

function derive(secret: Buffer, purpose: string): RingKey {
  const derived = new Uint8Array(hkdfSync('sha256', secret, '', purpose, 32));
  return {
    id: createHash('sha256').update(derived).digest('base64url').slice(0, 8),
    secret: createSecretKey(derived).toCryptoKey('AES-GCM', false, ['encrypt', 'decrypt']),
  };
}
