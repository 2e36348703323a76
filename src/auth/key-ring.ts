import { createHash, createSecretKey, hkdfSync, type webcrypto } from 'node:crypto';

export interface RingKey {
  /** Tells keys apart, and nothing of the secret. */
  id: string;
  /** For A256GCM; imported once, since that takes as long as to decrypt. */
  secret: webcrypto.CryptoKey;
}

/** Keys for one purpose: the first one makes, all of them open, so that a pair can go over to another secret one edge at a time. */
export class KeyRing {
  readonly current: RingKey;
  readonly #keys: readonly RingKey[];

  /**
   * @param secrets at least one
   * @param purpose whose keys open nothing of another's
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
