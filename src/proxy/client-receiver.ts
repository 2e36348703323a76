import type { Receiver } from '../splice/receiver.ts';
import type { Exchange } from './exchange.ts';

/** The client's response as a body's receiver. One that takes nothing is the listener's to cut. */
export class ClientReceiver implements Receiver {
  readonly gone: AbortSignal;
  onRoom: () => void = () => undefined;
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.gone = exchange.gone;
    exchange.response.on('drain', () => this.onRoom());
  }

  write(bytes: Buffer, done: () => void): boolean {
    this.#exchange.bytesOut += bytes.length;
    return this.#exchange.response.write(bytes, done);
  }
}
