import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, type webcrypto } from 'node:crypto';

interface GcmParameters {
  iv: Uint8Array;
  additionalData: Uint8Array;
}

const CIPHER = 'aes-256-gcm';
const TAG_BYTES = 16;
const secrets = new WeakMap<webcrypto.CryptoKey, KeyObject>();

/** Where Node keeps `toCryptoKey`. */
export const SECRET_KEYS = Object.getPrototypeOf(createSecretKey(Buffer.alloc(32))) as KeyObject;
const { toCryptoKey } = SECRET_KEYS;

/** `toCryptoKey` that remembers the secret, because a key of WebCrypto does not show it. */
export function rememberSecret(this: KeyObject, ...given: Parameters<KeyObject['toCryptoKey']>): webcrypto.CryptoKey {
  const key = toCryptoKey.apply(this, given);
  secrets.set(key, this);
  return key;
}

/**
 * Does in this thread what WebCrypto does in another one. Other threads bring their results in an order of their own, and then the same
 * schedule would not give the same answers.
 * @returns undefined: not A256GCM with a key whose secret is known
 */
export function cryptInline(method: string, given: readonly unknown[]): Promise<ArrayBuffer> | undefined {
  const [parameters, key, data] = given as [GcmParameters, webcrypto.CryptoKey, Uint8Array];
  const secret = typeof key === 'object' ? secrets.get(key) : undefined;
  if (secret === undefined || (key.algorithm as webcrypto.AesKeyAlgorithm).length !== 256) return undefined;
  if (method === 'encrypt') return encrypt(parameters, secret, data);
  return method === 'decrypt' ? decrypt(parameters, secret, data) : undefined;
}

async function encrypt({ iv, additionalData }: GcmParameters, secret: KeyObject, data: Uint8Array) {
  const cipher = createCipheriv(CIPHER, secret, iv).setAAD(additionalData);
  return bytesOf(cipher.update(data), cipher.final(), cipher.getAuthTag());
}

async function decrypt({ iv, additionalData }: GcmParameters, secret: KeyObject, data: Uint8Array) {
  const decipher = createDecipheriv(CIPHER, secret, iv).setAAD(additionalData).setAuthTag(data.subarray(-TAG_BYTES));
  return bytesOf(decipher.update(data.subarray(0, -TAG_BYTES)), decipher.final());
}

function bytesOf(...parts: readonly Buffer[]): ArrayBuffer {
  return new Uint8Array(Buffer.concat(parts)).buffer;
}
