import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import { KeyRing } from '../auth/key-ring.ts';
import { type PeerAnswer, type PeerQuestion, peerAnswer, peerQuestion } from './peer-message.ts';

const KEY_PURPOSE = 'breakwater peers 1';

/**
 * Seals the messages of the peer protocol (JWE, `dir`, A256GCM; RFC 7516). The shared key makes a process an edge of the site: without the
 * key a party can neither send, read nor change a message, whatever its certificate.
 */
export class PeerSealer {
  readonly #keys: KeyRing;

  /** @param secrets of `keyFile`: the first seals, all open */
  constructor(secrets: readonly Buffer[]) {
    this.#keys = new KeyRing(secrets, KEY_PURPOSE);
  }

  async seal(message: PeerQuestion | PeerAnswer): Promise<string> {
    const { id: kid, secret } = this.#keys.current;
    return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(message)))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid })
      .encrypt(secret);
  }

  /** Undefined: forged, damaged, sealed with another key, or not understood. */
  async openQuestion(text: string): Promise<PeerQuestion | undefined> {
    return peerQuestion.safeParse(await this.#open(text)).data;
  }

  async openAnswer(text: string): Promise<PeerAnswer | undefined> {
    return peerAnswer.safeParse(await this.#open(text)).data;
  }

  async #open(text: string): Promise<unknown> {
    try {
      const { kid, zip } = decodeProtectedHeader(text);
      const key = this.#keys.find(kid);
      if (!key || zip !== undefined) return undefined;
      const { plaintext } = await compactDecrypt(text, key.secret, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      return JSON.parse(new TextDecoder().decode(plaintext));
    } catch {
      // The sender does not have a key of this site.
      return undefined;
    }
  }
}
