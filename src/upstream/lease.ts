import type { Breaker, Ticket } from './breaker.ts';

export type Verdict = 'good' | 'bad' | 'neutral';

/**
 * One attempt's place among those under way at a URL, and its say in that URL's breakers. The answer (up to its first byte) and the
 * body are judged apart: a transfer that takes an hour must not keep its breaker waiting.
 */
export class Lease {
  readonly #answer: { breaker: Breaker; ticket: Ticket };
  readonly #body: { breaker: Breaker; ticket: Ticket } | undefined;
  readonly #onBad: () => void;
  readonly #free: () => void;
  #answered = false;
  #ended = false;

  constructor(answer: Breaker, body: Breaker | undefined, onBad: () => void, free: () => void) {
    this.#answer = { breaker: answer, ticket: answer.admit() };
    this.#body = body && { breaker: body, ticket: body.admit() };
    this.#onBad = onBad;
    this.#free = free;
  }

  /** The answer is there, or is known not to come. */
  answered(verdict: Verdict): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#answer.breaker.settle(this.#answer.ticket, verdict);
    if (verdict === 'bad') this.#onBad();
  }

  /** The attempt is over. Always to be called, once is enough. */
  ended(verdict: Verdict): void {
    if (this.#ended) return;
    this.#ended = true;
    this.answered('neutral');
    this.#body?.breaker.settle(this.#body.ticket, verdict);
    if (verdict === 'bad') this.#onBad();
    this.#free();
  }
}
