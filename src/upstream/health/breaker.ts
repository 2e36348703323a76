import CircuitBreaker from 'opossum';
import { monotonicNow } from '../../clock/clock.ts';
import type { BreakerConfig } from '../../config/schema.ts';
import type { BreakerState } from '../../failover/view.ts';
import { inBackground } from '../../http/background.ts';

/**
 * The result of one attempt. `late`: another upstream answered first; this counts in the breaker, but one late answer
 * does not make the URL suspected. `neutral`: the attempt says nothing about the URL.
 */
export type AttemptVerdict = 'good' | 'bad' | 'late' | 'neutral';

/**
 * Reports the result of an admitted attempt; to be called once.
 * @param times failures that count with this one, because they could not count by themselves. Default: 1
 */
export type ReportVerdict = (verdict: AttemptVerdict, times?: number) => void;

/** Milliseconds after which a trial that has not settled no longer keeps other trials out. */
const TRIAL_TIMEOUT_MS = 30_000;
/**
 * Longest time open for a URL that is merely late. Its next trial costs one pull a hedge at most, because another
 * upstream stands by. Only such a trial can show the recovery: the canary reads so little that a trickle is enough for
 * it.
 */
const MAX_OPEN_IF_LATE_MS = 10_000;
const BUCKETS = 10;

/**
 * A circuit breaker around results that are already known. opossum keeps the rolling statistics and the states.
 *
 *   closed --`consecutive` failures, or over `errorPercent` of `volume` in `window`--> open
 *   open --`open`, doubled at each failed trial up to `openMax`, jittered--> half-open
 *   half-open --one real success, or a canary's--> closed;  --its trial fails--> open (not long if it was only late)
 *
 * Three things are handled here instead of by opossum: calls begun before an opening (generations), hung trials, and time limits.
 */
export class Breaker {
  readonly #breaker: CircuitBreaker<[boolean], void>;
  readonly #config: BreakerConfig;
  readonly #random: () => number;
  #generation = 0;
  #failuresInARow = 0;
  /** The last time open and the next one, without jitter; milliseconds. */
  #lastOpen = 0;
  #nextOpen = 0;
  /** The trial under way. */
  #trial: { since: number } | undefined;

  /** @param onChange called at every change of state */
  constructor(config: BreakerConfig, onChange: (state: BreakerState) => void, random: () => number = Math.random) {
    this.#config = config;
    this.#random = random;
    this.#breaker = new CircuitBreaker<[boolean], void>(replayOutcome, {
      timeout: false,
      resetTimeout: config.open,
      errorThresholdPercentage: config.errorPercent,
      volumeThreshold: config.volume,
      rollingCountTimeout: config.window,
      rollingCountBuckets: BUCKETS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
    });
    // Timers of opossum call these too.
    const told = inBackground('breaker', onChange);
    this.#breaker.on('open', () => this.#onOpen(told));
    this.#breaker.on('halfOpen', () => void told('half-open'));
    this.#breaker.on('close', () => this.#onClose(told));
  }

  get state(): BreakerState {
    if (this.#breaker.opened) return 'open';
    return this.#breaker.halfOpen ? 'half-open' : 'closed';
  }

  /** Whether the half-open breaker would admit a trial now. */
  get trialFree(): boolean {
    return this.state === 'half-open' && !(this.#trial && monotonicNow() - this.#trial.since <= TRIAL_TIMEOUT_MS);
  }

  /** Never refuses: the plan decides which URL is asked, and asks an open one when no other is left. */
  admit(): ReportVerdict {
    const generation = this.#generation;
    const trial = this.trialFree ? { since: monotonicNow() } : undefined;
    this.#trial = trial ?? this.#trial;
    return (verdict, times = 1) => {
      // A hung trial that was replaced must not end its successor.
      if (trial && trial === this.#trial) this.#trial = undefined;
      for (let time = 0; time < times; time += 1) if (generation === this.#generation) this.#count(verdict);
    };
  }

  #count(verdict: AttemptVerdict): void {
    if (verdict === 'neutral' || this.#breaker.opened) return;
    this.#failuresInARow = verdict === 'good' ? 0 : this.#failuresInARow + 1;
    this.#prepareOpenTime(verdict === 'late');
    // The rejection is the failure just reported; opossum has counted it.
    this.#breaker.fire(verdict === 'good').catch((error: unknown) => ignoreExpected(error));
    if (this.#failuresInARow >= this.#config.consecutive) this.#breaker.open();
  }

  /** Closes the breaker after a canary was read well on an upstream that had been down. */
  recover(): void {
    if (this.state === 'closed') return;
    this.#generation += 1;
    this.#failuresInARow = 0;
    this.#lastOpen = 0;
    this.#trial = undefined;
    this.#breaker.close();
  }

  dispose(): void {
    this.#breaker.shutdown();
  }

  #onOpen(onChange: (state: BreakerState) => void): void {
    this.#generation += 1;
    this.#failuresInARow = 0;
    this.#lastOpen = this.#nextOpen;
    this.#trial = undefined;
    onChange('open');
  }

  /**
   * Clears the counts from before the opening. Otherwise the first failure after the recovery would open the breaker
   * again.
   */
  #onClose(onChange: (state: BreakerState) => void): void {
    const rotate: () => void = Reflect.get(this.#breaker.status, 'rotateBucket');
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) rotate();
    onChange('closed');
  }

  /** opossum reads `resetTimeout` when it opens, so the length of the next opening is set beforehand. */
  #prepareOpenTime(late: boolean): void {
    if (this.state === 'closed' && this.#failuresInARow === 0) this.#lastOpen = 0;
    const { open, openMax } = this.#config;
    const most = late ? Math.min(openMax, Math.max(open, MAX_OPEN_IF_LATE_MS)) : openMax;
    this.#nextOpen = Math.min(Math.max(open, 2 * this.#lastOpen), most);
    const options: { resetTimeout?: number } = Reflect.get(this.#breaker, 'options');
    options.resetTimeout = this.#nextOpen * (0.9 + 0.2 * this.#random());
  }
}

class AttemptFailed extends Error {}

async function replayOutcome(good: boolean): Promise<void> {
  if (!good) throw new AttemptFailed();
}

function ignoreExpected(error: unknown): void {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (!(error instanceof AttemptFailed) && code !== 'EOPENBREAKER' && code !== 'ESHUTDOWN') throw error;
}
