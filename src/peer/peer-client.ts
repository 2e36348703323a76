import { type Answer, Client } from '../upstream/client.ts';
import type { Resolver } from '../upstream/resolver.ts';
import { asUpstreamError, UpstreamError } from '../upstream/upstream-error.ts';
import { STAND_MS } from './followers.ts';
import { NEWS, type QuestionProgress, STANDS } from './peer-marks.ts';
import type { PeerRefusal } from './peer-refusal.ts';

/** Path of the peer protocol on the https listener. */
export const PEER_PATH = '/_breakwater/peer';

/** Milliseconds. */
const CONNECT_MS = 1000;
const ANSWER_MS = 3000;
const MAX_ANSWER = 16_777_216;
/** The characters of a sealed answer and of the marks before it. */
const MARKS = /^[.!]*/;

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

  /**
   * @param progress called while the question stands; omitted: it may not stand
   * @returns the sealed answer, or how the answering party refuses the question. @throws UpstreamError
   */
  async ask(text: string, progress?: QuestionProgress): Promise<string | PeerRefusal> {
    const signal = AbortSignal.timeout(ANSWER_MS + (progress ? STAND_MS : 0));
    const headers = { host: this.#hostname, 'content-type': 'application/jose' };
    try {
      const { status, body } = await this.#client.send({
        method: 'POST',
        path: PEER_PATH,
        headers,
        body: text,
        signal,
      });
      if (status === 200) return await readAnswer(body, progress);
      await body.dump({ limit: 65_536 });
      if (status === 503) throw new UpstreamError('saturated', 'it is overloaded');
      return { status };
    } catch (error) {
      if (signal.aborted) throw new UpstreamError('first-byte', 'it did not answer in time');
      throw asUpstreamError(error);
    }
  }

  close(): Promise<void> {
    return this.#client.destroy();
  }
}

/** Reports each mark in the moment in which it arrives. @returns the sealed answer. @throws UpstreamError too-large */
async function readAnswer(body: Answer['body'], progress: QuestionProgress | undefined): Promise<string> {
  let text = '';
  let marks = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    text += chunk.toString('latin1');
    if (text.length > MAX_ANSWER) throw new UpstreamError('too-large', `the answer is longer than ${MAX_ANSWER} bytes`);
    const [arrived = ''] = MARKS.exec(text) ?? [];
    for (const mark of arrived.slice(marks)) {
      if (mark === STANDS) progress?.onStands();
      if (mark === NEWS) progress?.onNews();
    }
    marks = arrived.length;
  }
  return text.slice(marks);
}
