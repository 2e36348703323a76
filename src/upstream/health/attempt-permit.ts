import type { Breaker, Ticket } from './breaker.ts';

/** `late`: another upstream answered first. It counts in the breaker, but is no reason yet to suspect the URL. */
export type AttemptVerdict = 'good' | 'bad' | 'late' | 'neutral';

interface Say {
  breaker: Breaker;
  ticket: Ticket;
}

/**
 * One attempt's place among those under way at a URL, and its say in that URL's breakers. The answer (up to its first byte) and the
 * body are judged apart: a transfer that takes an hour must not keep its breaker waiting.
 */
export class AttemptPermit {
  readonly #answer: Say;
  readonly #body: Say | undefined;
  readonly #onVerdict: (verdict: AttemptVerdict) => void;
  readonly #free: () => void;
  #answered = false;
  #ended = false;

  constructor(
    answer: Breaker,
    body: Breaker | undefined,
    onVerdict: (verdict: AttemptVerdict) => void,
    free: () => void,
  ) {
    this.#answer = { breaker: answer, ticket: answer.admit() };
    this.#body = body && { breaker: body, ticket: body.admit() };
    this.#onVerdict = onVerdict;
    this.#free = free;
  }

  /** The answer is there, or is known not to come. */
  reportAnswer(verdict: AttemptVerdict): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#judge(this.#answer, verdict);
  }

  /** The attempt is over. Always to be called, once is enough. */
  reportEnd(verdict: AttemptVerdict): void {
    if (this.#ended) return;
    this.#ended = true;
    this.reportAnswer('neutral');
    if (this.#body) this.#judge(this.#body, verdict);
    else if (verdict === 'bad') this.#onVerdict(verdict);
    this.#free();
  }

  #judge({ breaker, ticket }: Say, verdict: AttemptVerdict): void {
    breaker.settle(ticket, verdict);
    this.#onVerdict(verdict);
  }
}
