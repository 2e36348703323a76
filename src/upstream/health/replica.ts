import { monotonicNow } from '../../clock/clock.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import { type Health, initialHealth, nextHealth } from '../../failover/health.ts';
import { Latency } from '../../failover/latency.ts';
import type { BreakerState, CanaryState, ReplicaView, TrafficClass } from '../../failover/view.ts';
import type { UpstreamEvents } from '../events.ts';
import { AttemptPermit } from './attempt-permit.ts';
import { type AttemptVerdict, Breaker } from './breaker.ts';
import type { Canary } from './canary.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import type { ProbeReport } from './probe.ts';

/** Late answers in a row after which the URL is suspected. */
const SLOW_AFTER_LATE = 3;

/** One URL of an upstream: its health, its breakers, its concurrency limits. No I/O. */
export class Replica {
  readonly url: string;
  readonly canary: Canary;
  /** Time to the first byte, by class. */
  readonly latency = { control: new Latency(), data: new Latency() };
  readonly #config: UpstreamConfig;
  /** By class. Bodies of blobs fail apart from their answers; both count as `data`. */
  readonly #breakers: Record<TrafficClass, [answers: Breaker, ...bodies: Breaker[]]>;
  /** Pushes and passed-through requests have no limit. */
  readonly #limits: Partial<Record<TrafficClass, ConcurrencyLimit>> & Record<'control' | 'data', ConcurrencyLimit>;
  readonly #events: UpstreamEvents;
  readonly #name: string;
  #health: Health = initialHealth(monotonicNow());
  #canaryState: CanaryState;
  #lastProbeAt: number | undefined;
  #probeMs: number | undefined;
  #retryAfterUntil = 0;
  /** Traffic met trouble, and no probe has been good since. */
  #suspected = false;
  #suspectedAt = 0;
  /** Suspected because of late answers only. */
  #suspectedAsSlow = false;
  /** Late answers since the last good one. */
  #lateInARow = 0;
  /** Called when trouble is met outside of a probe. */
  onTrouble: () => void = () => undefined;

  constructor(name: string, url: string, config: UpstreamConfig, canary: Canary, events: UpstreamEvents) {
    this.#name = name;
    this.url = url;
    this.#config = config;
    this.#events = events;
    this.canary = canary;
    const { control, data, queue } = config.maxInFlight;
    this.#limits = { control: new ConcurrencyLimit(control, queue), data: new ConcurrencyLimit(data, queue) };
    this.#canaryState = canary.configured ? 'failing' : 'none';
    const breaker = (trafficClass: TrafficClass) =>
      new Breaker(config.breaker, (state) => this.#events.breaker(name, url, trafficClass, state));
    this.#breakers = perClass((one) => (one === 'data' ? [breaker(one), breaker(one)] : [breaker(one)]));
  }

  get health(): Health {
    return this.#health;
  }

  /** Permits an attempt; undefined when the concurrency limit is reached. */
  tryStartAttempt(trafficClass: TrafficClass): AttemptPermit | undefined {
    const limit = this.#limits[trafficClass];
    return !limit || limit.tryAcquire() ? this.#permit(trafficClass, limit) : undefined;
  }

  /**
   * Permits an attempt, after waiting in the queue if need be; undefined when the queue is full or the signal is
   * aborted.
   */
  async startAttempt(trafficClass: TrafficClass, signal: AbortSignal): Promise<AttemptPermit | undefined> {
    const limit = this.#limits[trafficClass];
    return !limit || (await limit.acquire(signal)) ? this.#permit(trafficClass, limit) : undefined;
  }

  /**
   * Waits for a slot for a small read that is no attempt; undefined when the queue is full or the signal is aborted.
   * @returns frees the slot
   */
  async acquireControlSlot(signal: AbortSignal): Promise<(() => void) | undefined> {
    const { control } = this.#limits;
    return (await control.acquire(signal)) ? () => control.release() : undefined;
  }

  #permit(trafficClass: TrafficClass, limit: ConcurrencyLimit | undefined): AttemptPermit {
    const [answers, bodies] = this.#breakers[trafficClass];
    const onVerdict = (verdict: AttemptVerdict) => this.#onVerdict(verdict);
    return new AttemptPermit(answers, bodies, onVerdict, () => limit?.release());
  }

  #onVerdict(verdict: AttemptVerdict): void {
    if (verdict === 'good') this.#lateInARow = 0;
    else if (verdict === 'bad') this.suspect();
    else if (verdict === 'late') this.#onLate();
  }

  /** One late answer changes nothing. Several in a row make the URL suspected until a probe shows its state. */
  #onLate(): void {
    this.#lateInARow += 1;
    if (this.#lateInARow < SLOW_AFTER_LATE) {
      this.onTrouble();
      return;
    }
    const slow = !this.#suspected || this.#suspectedAsSlow;
    this.suspect();
    this.#suspectedAsSlow = slow;
  }

  /** Marks the URL as suspected until a probe is good: other URLs are asked first. */
  suspect(): void {
    this.#suspected = true;
    this.#suspectedAsSlow = false;
    this.#suspectedAt = monotonicNow();
    this.onTrouble();
  }

  /** Sends the URL no requests for some milliseconds, as its Retry-After asked. */
  backOff(ms: number): void {
    this.#retryAfterUntil = Math.max(this.#retryAfterUntil, monotonicNow() + ms);
  }

  /** Applies the result of a probe. */
  recordProbe(report: ProbeReport, tookMs: number): void {
    const now = monotonicNow();
    const before = this.#health;
    this.#health = nextHealth(before, report, this.#config.probe, now);
    this.#lastProbeAt = now;
    this.#probeMs = tookMs;
    this.#canaryState = report.canary;
    // A probe that began before the trouble says nothing about it.
    if (report.ok && now - tookMs >= this.#suspectedAt) this.#suspected = false;
    if (before.state === this.#health.state) return;
    this.#events.health(this.#name, this.url, before.state, this.#health.state, this.#health.reason);
    // Only a canary may close the breakers of a sick upstream. A shallow probe stays green while storage hangs.
    if (this.#health.state === 'up' && before.state === 'down' && report.canary === 'good') this.#closeBreakers();
  }

  /**
   * Applies a canary read between probes. A failure brings the next probe forward; a success changes no state, so that
   * the state does not flap.
   */
  recordCanary(state: CanaryState): void {
    this.#canaryState = state;
    if (state === 'failing') this.suspect();
  }

  view(): ReplicaView {
    const trialFree = (trafficClass: TrafficClass) =>
      this.#breakers[trafficClass].every((one) => one.state === 'closed' || one.trialFree);
    return {
      url: this.url,
      state: this.#health.state,
      since: this.#health.since,
      reason: this.#health.reason,
      canary: this.#canaryState,
      lastProbeAt: this.#lastProbeAt,
      probeMs: this.#probeMs,
      breakers: perClass((trafficClass) => worstState(this.#breakers[trafficClass])),
      trialFree: perClass(trialFree),
      suspected: this.#suspected,
      slow: this.#suspected && this.#suspectedAsSlow && this.#health.state === 'up',
      retryAfterUntil: this.#retryAfterUntil,
      inFlight: { control: this.#limits.control.inUse, data: this.#limits.data.inUse },
      waiting: { control: this.#limits.control.queued, data: this.#limits.data.queued },
      saturated: { control: this.#limits.control.full, data: this.#limits.data.full },
      firstByteP95: { control: this.latency.control.p95, data: this.latency.data.p95 },
    };
  }

  dispose(): void {
    for (const breaker of Object.values(this.#breakers).flat()) breaker.dispose();
  }

  #closeBreakers(): void {
    for (const breaker of Object.values(this.#breakers).flat()) breaker.recover();
  }
}

function perClass<T>(of: (trafficClass: TrafficClass) => T): Record<TrafficClass, T> {
  return { control: of('control'), data: of('data'), push: of('push'), passthrough: of('passthrough') };
}

function worstState(breakers: readonly Breaker[]): BreakerState {
  return (['open', 'half-open'] as const).find((state) => breakers.some((one) => one.state === state)) ?? 'closed';
}
