import CircuitBreaker from 'opossum';
import type { BreakerConfig } from '../../config/schema.ts';
import type { BreakerState } from '../../failover/view.ts';

/** Leave to make one attempt; to be settled once, by `Breaker.settle`. */
export interface Ticket {
  readonly generation: number;
  readonly trial: boolean;
}

/** A trial that has not settled after so long does not keep others out any more. */
const TRIAL_MS = 30_000;
/**
 * One that is merely late is tried again after so long at the most: another upstream stands by, so that a trial in vain costs one pull its
 * hedge. And nothing else may tell that it is well again, since the canary reads so little that a trickle is enough for it.
 */
const LATE_OPEN_MS = 10_000;
const BUCKETS = 10;

/**
 * A circuit breaker around outcomes that are already known: opossum's rolling statistics and states, fed when an attempt settles.
 *
 *   closed --`consecutive` failures, or over `errorPercent` of `volume` in `window`--> open
 *   open --`open`, doubled at each failed trial up to `openMax`, jittered--> half-open
 *   half-open --one real success, or a canary's--> closed;  --its trial fails--> open (not long if it was only late)
 *
 * What opossum would get wrong is kept from it: calls begun before a trip (generations), hung trials, and its own time limit.
 */
export class Breaker {
  readonly #breaker: CircuitBreaker<[boolean], void>;
  readonly #config: BreakerConfig;
  readonly #random: () => number;
  #generation = 0;
  #streak = 0;
  /** How long it was open the last time, and will be the next, without jitter; milliseconds. */
  #lastOpen = 0;
  #nextOpen = 0;
  #trial: Ticket | undefined;
  #trialSince: number | undefined;

  /** @param onChange told of every change of state */
  constructor(config: BreakerConfig, onChange: (state: BreakerState) => void, random: () => number = Math.random) {
    this.#config = config;
    this.#random = random;
    this.#breaker = new CircuitBreaker<[boolean], void>(outcomeOf, {
      timeout: false,
      resetTimeout: config.open,
      errorThresholdPercentage: config.errorPercent,
      volumeThreshold: config.volume,
      rollingCountTimeout: config.window,
      rollingCountBuckets: BUCKETS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
    });
    this.#breaker.on('open', () => this.#opened(onChange));
    this.#breaker.on('halfOpen', () => onChange('half-open'));
    this.#breaker.on('close', () => this.#closed(onChange));
  }

  get state(): BreakerState {
    if (this.#breaker.opened) return 'open';
    return this.#breaker.halfOpen ? 'half-open' : 'closed';
  }

  /** Whether the half-open breaker would admit a trial now. */
  get trialFree(): boolean {
    return this.state === 'half-open' && (this.#trialSince === undefined || Date.now() - this.#trialSince > TRIAL_MS);
  }

  /** Never refuses: whom to ask is the plan's decision, and it asks even an open one when nothing else is left. */
  admit(): Ticket {
    const trial = this.trialFree;
    const ticket = { generation: this.#generation, trial };
    if (trial) {
      this.#trial = ticket;
      this.#trialSince = Date.now();
    }
    return ticket;
  }

  /**
   * How the attempt ended. `late`: it failed because another one answered first. `neutral`: it says nothing of the upstream (the client
   * left, a hedge was won by another).
   */
  settle(ticket: Ticket, result: 'good' | 'bad' | 'late' | 'neutral'): void {
    // A trial that was given up as hung must not end the one that took its place.
    if (ticket === this.#trial) this.#trialSince = undefined;
    const stale = ticket.generation !== this.#generation;
    if (result === 'neutral' || stale || this.#breaker.opened) return;
    this.#streak = result === 'good' ? 0 : this.#streak + 1;
    this.#prepareOpenTime(result === 'late');
    // The rejection is the outcome that was just given; opossum has counted it.
    this.#breaker.fire(result === 'good').catch((error: unknown) => rethrowUnless(error));
    if (this.#streak >= this.#config.consecutive) this.#breaker.open();
  }

  /** Closes it because a canary was read well after the upstream had been down. */
  recover(): void {
    if (this.state === 'closed') return;
    this.#forget();
    this.#breaker.close();
  }

  dispose(): void {
    this.#breaker.shutdown();
  }

  #opened(onChange: (state: BreakerState) => void): void {
    this.#generation += 1;
    this.#streak = 0;
    this.#lastOpen = this.#nextOpen;
    this.#trialSince = undefined;
    onChange('open');
  }

  /** What it counted before it opened is past: else the first failure after the recovery would open it again. */
  #closed(onChange: (state: BreakerState) => void): void {
    const rotate: () => void = Reflect.get(this.#breaker.status, 'rotateBucket');
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) rotate();
    onChange('closed');
  }

  /** opossum reads `resetTimeout` when it opens, so that the next opening's length is set beforehand. */
  #prepareOpenTime(late: boolean): void {
    if (this.state === 'closed' && this.#streak === 0) this.#lastOpen = 0;
    const { open, openMax } = this.#config;
    const most = late ? Math.min(openMax, Math.max(open, LATE_OPEN_MS)) : openMax;
    this.#nextOpen = Math.min(Math.max(open, 2 * this.#lastOpen), most);
    const options: { resetTimeout?: number } = Reflect.get(this.#breaker, 'options');
    options.resetTimeout = this.#nextOpen * (0.9 + 0.2 * this.#random());
  }

  #forget(): void {
    this.#generation += 1;
    this.#streak = 0;
    this.#lastOpen = 0;
    this.#trialSince = undefined;
  }
}

class AttemptFailed extends Error {}

async function outcomeOf(good: boolean): Promise<void> {
  if (!good) throw new AttemptFailed();
}

function rethrowUnless(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (!(error instanceof AttemptFailed) && code !== 'EOPENBREAKER' && code !== 'ESHUTDOWN') throw error;
}
