import { readBody } from '../upstream/body/read-body.ts';
import { Client } from '../upstream/client.ts';
import type { Resolver } from '../upstream/resolver.ts';
import { UpstreamError } from '../upstream/upstream-error.ts';

/** Path of the peer protocol on the https listener. */
export const PEER_PATH = '/_breakwater/peer';

/** Milliseconds. */
const CONNECT_MS = 1000;
const ANSWER_MS = 3000;
const MAX_ANSWER = 16_777_216;

export interface PeerClientOptions {
  /** `https://10.0.0.2:443`. */
  address: string;
  /** The hostname of the site, which every edge answers to. */
  hostname: string;
  resolver: Resolver;
}

/** Sends sealed messages to one edge. */
export class PeerClient {
  readonly #client: Client;
  readonly #hostname: string;

  constructor({ address, hostname, resolver }: PeerClientOptions) {
    this.#hostname = hostname;
    this.#client = new Client(new URL(address), {
      ca: undefined,
      connectMs: CONNECT_MS,
      connections: 1,
      resolver,
      // A certificate would prove no more than the shared key, and the exchange must survive an expired one.
      unverifiedAs: hostname,
    });
  }

  /** @returns undefined: the answering party refuses the question. @throws UpstreamError */
  async ask(text: string): Promise<string | undefined> {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const headers = { host: this.#hostname, 'content-type': 'application/jose' };
    try {
      const { status, body } = await this.#client.send({
        method: 'POST',
        path: PEER_PATH,
        headers,
        body: text,
        signal,
      });
      if (status === 200) return (await readBody(body, MAX_ANSWER)).toString('latin1');
      await body.dump({ limit: 65_536 });
      if (status === 503) throw new UpstreamError('saturated', 'it is overloaded');
      return undefined;
    } catch (error) {
      if (signal.aborted) throw new UpstreamError('first-byte', 'it did not answer in time');
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#client.destroy();
  }
}
