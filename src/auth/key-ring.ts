import { createHash, createSecretKey, hkdfSync, type webcrypto } from 'node:crypto';

export interface RingKey {
  /** Identifies the key without revealing the secret. */
  id: string;
  /** For A256GCM. The import is done once, since it takes as long as a decryption. */
  secret: webcrypto.CryptoKey;
}

/** Keys for one purpose. The first key seals and all keys open, so that the edges of a pair can change the secret one after the other. */
export class KeyRing {
  readonly current: RingKey;
  readonly #keys: readonly RingKey[];

  /**
   * @param secrets at least one
   * @param purpose keys of one purpose open nothing of another
   */
  constructor(secrets: readonly Buffer[], purpose: string) {
    this.#keys = secrets.map((secret) => derive(secret, purpose));
    const [first] = this.#keys;
    if (!first) throw new Error('a key ring needs a secret');
    this.current = first;
  }

  find(id: string | undefined): RingKey | undefined {
    return this.#keys.find((key) => key.id === id);
  }
}

function derive(secret: Buffer, purpose: string): RingKey {
  const derived = new Uint8Array(hkdfSync('sha256', secret, '', purpose, 32));
  return {
    id: createHash('sha256').update(derived).digest('base64url').slice(0, 8),
    secret: createSecretKey(derived).toCryptoKey('AES-GCM', false, ['encrypt', 'decrypt']),
  };
}
