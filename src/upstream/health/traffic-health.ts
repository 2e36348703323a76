import { monotonicNow } from '../../clock/clock.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import { type Evidence, FailureEvidence } from '../../failover/failure-evidence.ts';
import { PairBackoff } from '../../failover/pair-backoff.ts';
import type { BreakerState, CanaryState, TrafficClass } from '../../failover/view.ts';
import type { AttemptReports } from './attempt-permit.ts';
import { Breaker, type ReportVerdict } from './breaker.ts';
import { Suspicion } from './suspicion.ts';
import { UnconfirmedFailures } from './unconfirmed-failures.ts';

/** A breaker, and what decides which failures it hears of. */
interface GuardedBreaker {
  breaker: Breaker;
  evidence: FailureEvidence;
}

export interface TrafficHealthOptions {
  config: Pick<UpstreamConfig, 'breaker' | 'hedge' | 'probe'>;
  /** Called at every change of a breaker's state. */
  onBreaker: (trafficClass: TrafficClass, state: BreakerState) => void;
  /** Called at every failure. */
  onTrouble: () => void;
  /** Reads the canary; the read begins after the call. Never rejects. */
  readCanary: () => Promise<CanaryState>;
}

/** Good probes whose durations tell how long the canary usually takes. */
const PROBE_TIMES = 8;
/** Milliseconds for which trouble is recent. */
const TROUBLE_MS = 10_000;
/** A canary that takes so many times as long as usual is silent. */
const SILENT_FACTOR = 2;

/**
 * What requests show of one URL: its breakers, whether it is suspected, and whether it asked for fewer requests. A
 * failure concerns every client only if it cannot be the fault of one client, repository or reference (rule 8, ADR 26).
 */
export class TrafficHealth {
  readonly pairBackoff: PairBackoff;
  readonly suspicion = new Suspicion();
  readonly #options: TrafficHealthOptions;
  /** By class. Bodies of blobs fail apart from their answers; both count as `data`. */
  readonly #breakers: Record<TrafficClass, [answers: GuardedBreaker, ...bodies: GuardedBreaker[]]>;
  readonly #unconfirmed: UnconfirmedFailures;
  readonly #overload: FailureEvidence;
  /** Milliseconds that the last good probes took. */
  #probeTimes: number[] = [];
  #retryAfterUntil = 0;
  #troubleAt = Number.NEGATIVE_INFINITY;

  constructor(options: TrafficHealthOptions) {
    this.#options = options;
    const { breaker: config } = options.config;
    const guarded = (trafficClass: TrafficClass): GuardedBreaker => ({
      breaker: new Breaker(config, (state) => options.onBreaker(trafficClass, state)),
      evidence: new FailureEvidence(config),
    });
    this.#breakers = perClass((one) => (one === 'data' ? [guarded(one), guarded(one)] : [guarded(one)]));
    this.pairBackoff = new PairBackoff(config);
    this.#overload = new FailureEvidence(config);
    this.#unconfirmed = new UnconfirmedFailures({
      readCanary: options.readCanary,
      silenceMs: () => this.#silenceMs(),
      onSilence: (silent) => this.suspicion.canaryIs(silent),
    });
  }

  /** Requests have failed lately, or been late, whether that counts or not. */
  get hasTrouble(): boolean {
    return this.suspicion.suspected || monotonicNow() - this.#troubleAt < TROUBLE_MS;
  }

  /** Monotonic milliseconds. */
  get retryAfterUntil(): number {
    return this.#retryAfterUntil;
  }

  /** The most severe state of the breakers of each class. */
  get breakers(): Record<TrafficClass, BreakerState> {
    return perClass((trafficClass) => worstState(this.#breakers[trafficClass]));
  }

  /** Classes whose half-open breaker would admit a trial now. */
  get trialFree(): Record<TrafficClass, boolean> {
    const free = ({ breaker }: GuardedBreaker) => breaker.state === 'closed' || breaker.trialFree;
    return perClass((trafficClass) => this.#breakers[trafficClass].every(free));
  }

  /** Admits an attempt to the breakers. */
  admit(trafficClass: TrafficClass, evidence: Evidence): AttemptReports {
    const [answers, bodies] = this.#breakers[trafficClass];
    this.pairBackoff.asked(evidence, trafficClass, monotonicNow());
    const reporter = (guarded: GuardedBreaker, settle: ReportVerdict) =>
      this.#reporter(guarded.evidence, settle, trafficClass, evidence);
    return {
      answer: reporter(answers, answers.breaker.admit()),
      // Without a breaker of their own, bodies that fail only make the URL suspected.
      body: bodies ? reporter(bodies, bodies.breaker.admit()) : reporter(answers, () => undefined),
      overload: (ms) => this.#onOverload(evidence, trafficClass, ms),
    };
  }

  #reporter(
    failures: FailureEvidence,
    settle: ReportVerdict,
    trafficClass: TrafficClass,
    evidence: Evidence,
  ): ReportVerdict {
    return (verdict) => {
      if (verdict === 'neutral') return settle('neutral');
      if (verdict === 'good') {
        failures.succeeded();
        this.pairBackoff.good(evidence, trafficClass);
        this.suspicion.answeredInTime();
        return settle('good');
      }
      const now = monotonicNow();
      this.#troubleAt = now;
      this.#options.onTrouble();
      if (verdict === 'late') this.pairBackoff.late(evidence, trafficClass, now);
      const times = failures.failed(evidence, now);
      if (times > 0) return this.#count(verdict, settle, times);
      this.#unconfirmed.add((confirmed) => (confirmed ? this.#count(verdict, settle, 1) : settle('neutral')));
    };
  }

  #count(verdict: 'bad' | 'late', settle: ReportVerdict, times: number): void {
    settle(verdict, times);
    if (verdict === 'bad') this.suspicion.suspect(monotonicNow());
    else this.suspicion.late(times, monotonicNow());
    this.#options.onTrouble();
  }

  /** Notes overload: none of this client and repository is sent for a while, or none at all if others meet it too. */
  #onOverload(evidence: Evidence, trafficClass: TrafficClass, ms: number): void {
    const now = monotonicNow();
    this.pairBackoff.limited(evidence, trafficClass, ms, now);
    if (this.#overload.isWidespread(evidence, now)) this.backOff(ms);
  }

  /** Sends the URL no requests for some milliseconds, unless no other upstream is left. */
  backOff(ms: number): void {
    this.#retryAfterUntil = Math.max(this.#retryAfterUntil, monotonicNow() + ms);
  }

  /** Notes a good probe. @param began monotonic milliseconds */
  probeWasGood(began: number, tookMs: number): void {
    // An upstream that is slow even to a probe is alive, and no upstream to ask first (rule 11).
    if (tookMs > this.#options.config.probe.timeout) this.suspicion.slowProbe(monotonicNow());
    else this.suspicion.probeWasGood(began);
    this.#probeTimes = [...this.#probeTimes, tookMs].slice(-PROBE_TIMES);
  }

  /** Closes the breakers after a canary was read well on an upstream that had been down, and ends what its lateness meant meanwhile. */
  recover(): void {
    this.pairBackoff.recovered();
    for (const { breaker } of Object.values(this.#breakers).flat()) breaker.recover();
  }

  dispose(): void {
    this.#unconfirmed.stop();
    for (const { breaker } of Object.values(this.#breakers).flat()) breaker.dispose();
  }

  /** Milliseconds after which the canary is later than usual. While its usual time is not known, its timeout decides. */
  #silenceMs(): number {
    const { probe, hedge } = this.#options.config;
    if (this.#probeTimes.length === 0) return probe.timeout;
    return Math.min(Math.max(hedge.floor, SILENT_FACTOR * Math.max(...this.#probeTimes)), probe.timeout);
  }
}

function perClass<T>(of: (trafficClass: TrafficClass) => T): Record<TrafficClass, T> {
  return { control: of('control'), data: of('data'), push: of('push'), passthrough: of('passthrough') };
}

function worstState(breakers: readonly GuardedBreaker[]): BreakerState {
  const some = (state: BreakerState) => breakers.some(({ breaker }) => breaker.state === state);
  return (['open', 'half-open'] as const).find(some) ?? 'closed';
}
