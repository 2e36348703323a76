import { KeyRing } from '../auth/key-ring.ts';
import { type PeerAnswer, type PeerQuestion, peerAnswer, peerQuestion } from './peer-message.ts';

/** Seals the messages of the peer protocol. The shared key makes a process an edge of the site, whatever its certificate. */
export class PeerSealer {
  readonly #keys: KeyRing;

  /** @param secrets of `keyFile`: the first seals, all open */
  constructor(secrets: readonly Buffer[]) {
    this.#keys = new KeyRing(secrets, 'breakwater peers 1');
  }

  seal(message: PeerQuestion | PeerAnswer): Promise<string> {
    return this.#keys.seal(message);
  }

  /** Undefined: forged, damaged, sealed with another key, or not understood. */
  async openQuestion(text: string): Promise<PeerQuestion | undefined> {
    return peerQuestion.safeParse(await this.#keys.open(text)).data;
  }

  async openAnswer(text: string): Promise<PeerAnswer | undefined> {
    return peerAnswer.safeParse(await this.#keys.open(text)).data;
  }
}
