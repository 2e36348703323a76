import { monotonicNow } from '../../clock/clock.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import { EDGE, type Evidence } from '../../failover/failure-evidence.ts';
import { type Health, initialHealth, nextHealth } from '../../failover/health.ts';
import { Latency } from '../../failover/latency.ts';
import { initialProof, nextProof, type Proof, type Sight } from '../../failover/proof.ts';
import type { CanaryState, ReplicaView, TrafficClass } from '../../failover/view.ts';
import type { UpstreamEvents } from '../events.ts';
import { AttemptPermit } from './attempt-permit.ts';
import type { Canary } from './canary.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import type { ProbeReport } from './probe.ts';
import { TrafficHealth } from './traffic-health.ts';

/** Milliseconds for which a good read of the canary is fresh. */
const FRESH_MS = 5000;

/** One URL of an upstream: its health, its breakers, its concurrency limits. No I/O. */
export class Replica {
  readonly url: string;
  readonly canary: Canary;
  /** Time to the first byte, by class. */
  readonly latency = { control: new Latency(), data: new Latency() };
  readonly #config: UpstreamConfig;
  readonly #traffic: TrafficHealth;
  /** Pushes and passed-through requests have no limit. */
  readonly #limits: Partial<Record<TrafficClass, ConcurrencyLimit>> & Record<'control' | 'data', ConcurrencyLimit>;
  readonly #events: UpstreamEvents;
  readonly #name: string;
  #health: Health = initialHealth(monotonicNow());
  #canaryState: CanaryState;
  #proof: Proof = initialProof(monotonicNow());
  readonly #longWaits: Record<'control' | 'data', ConcurrencyLimit>;
  readonly #onDown = new Set<() => void>();
  #lastProbeAt: number | undefined;
  #goodProbeAt: number | undefined;
  #goodCanaryAt = Number.NEGATIVE_INFINITY;
  #probeMs: number | undefined;
  /** Called when trouble is met outside of a probe. */
  onTrouble: () => void = () => undefined;
  /** Reads the canary because of a failure; the read begins after the call. Never rejects. */
  readCanary: () => Promise<CanaryState> = async () => 'none';

  constructor(name: string, url: string, config: UpstreamConfig, canary: Canary, events: UpstreamEvents) {
    this.#name = name;
    this.url = url;
    this.#config = config;
    this.#events = events;
    this.canary = canary;
    const { control, data, queue } = config.maxInFlight;
    this.#limits = { control: new ConcurrencyLimit(control, queue), data: new ConcurrencyLimit(data, queue) };
    const half = (places: number) => new ConcurrencyLimit(Math.max(1, Math.floor(places / 2)), 0);
    this.#longWaits = { control: half(control), data: half(data) };
    this.#canaryState = canary.configured ? 'failing' : 'none';
    this.#traffic = new TrafficHealth({
      config,
      onBreaker: (trafficClass, state) => events.breaker(name, url, trafficClass, state),
      onTrouble: () => this.onTrouble(),
      readCanary: () => this.readCanary(),
    });
    canary.readsMore = () => this.#traffic.hasTrouble;
  }

  /** Whether the canary has been read a moment ago, and nothing has failed since. */
  get canaryIsFresh(): boolean {
    const { suspicion } = this.#traffic;
    return this.#canaryState === 'good' && !suspicion.suspected && monotonicNow() - this.#goodCanaryAt < FRESH_MS;
  }

  get proof(): Proof {
    return this.#proof;
  }

  get health(): Health {
    return this.#health;
  }

  /** Permits an attempt; undefined when the concurrency limit is reached. */
  tryStartAttempt(trafficClass: TrafficClass, evidence: Evidence): AttemptPermit | undefined {
    const limit = this.#limits[trafficClass];
    return !limit || limit.tryAcquire(evidence.client) ? this.#permit(trafficClass, evidence, limit) : undefined;
  }

  /**
   * Permits an attempt, after waiting in the queue if need be; undefined when the queue is full or the signal is
   * aborted.
   */
  async startAttempt(
    trafficClass: TrafficClass,
    evidence: Evidence,
    signal: AbortSignal,
  ): Promise<AttemptPermit | undefined> {
    const limit = this.#limits[trafficClass];
    return !limit || (await limit.acquire(evidence.client, signal))
      ? this.#permit(trafficClass, evidence, limit)
      : undefined;
  }

  /**
   * Waits for a slot for a small read that is no attempt; undefined when the queue is full or the signal is aborted.
   * @returns frees the slot
   */
  async acquireControlSlot(signal: AbortSignal): Promise<(() => void) | undefined> {
    const { control } = this.#limits;
    return (await control.acquire(EDGE, signal)) ? () => control.release(EDGE) : undefined;
  }

  /**
   * Lets an attempt wait beyond its deadline. Such attempts take at most half of the slots of their class, and one client at most 7 of 8 of
   * that half (rule 8).
   * @returns ends the wait; undefined: there are too many
   */
  startLongWait(trafficClass: 'control' | 'data', client: string): (() => void) | undefined {
    const waits = this.#longWaits[trafficClass];
    return waits.tryAcquire(client) ? () => waits.release(client) : undefined;
  }

  /** Resolves when the URL is down. Never rejects; pending for ever once the signal is aborted. */
  untilDown(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#health.state === 'down') resolve();
    else this.#onDown.add(resolve);
    signal.addEventListener('abort', () => this.#onDown.delete(resolve), { once: true });
    return promise;
  }

  #permit(trafficClass: TrafficClass, evidence: Evidence, limit: ConcurrencyLimit | undefined): AttemptPermit {
    return new AttemptPermit(this.#traffic.admit(trafficClass, evidence), () => limit?.release(evidence.client));
  }

  /** Applies the result of a probe. */
  recordProbe(report: ProbeReport, tookMs: number): void {
    const now = monotonicNow();
    this.#lastProbeAt = now;
    this.#probeMs = tookMs;
    // Overload is no failure (rule 8).
    if (report.ok || report.retryAfterMs !== undefined) this.#goodProbeAt = now;
    if (report.retryAfterMs === undefined) this.#onJudgedProbe(report, tookMs, now);
    else this.#onOverloadedProbe(report.retryAfterMs, now);
  }

  /** Notes whether the URL shows content: a probe looked for it, or a request has read some. */
  recordSight(sight: Sight): void {
    this.#proof = nextProof(this.#proof, sight, this.#config.probe.allowEmpty, monotonicNow());
  }

  #onJudgedProbe(report: ProbeReport, tookMs: number, now: number): void {
    if (report.canary === 'good') this.#onGoodCanary(now);
    if (report.ok) this.#traffic.probeWasGood(now - tookMs, tookMs);
    const wasDown = this.#health.state === 'down';
    const health = nextHealth(this.#health, report, this.#config.probe, now);
    // Until the URL counts as down, a canary that is late may be merely slow (rule 11).
    if (report.ok || !report.late || health.state === 'down') this.#canaryState = report.canary;
    this.#setHealth(health);
    // Only a canary may end what requests have shown of a sick upstream. A shallow probe stays green while storage hangs.
    if (this.#health.state === 'up' && wasDown && report.canary === 'good') this.#traffic.recover();
  }

  /** Overload is no outage (rule 8). A URL that was not probed before answers, so it is up. */
  #onOverloadedProbe(ms: number, now: number): void {
    const result = { ok: true, reason: 'it is overloaded' };
    if (this.#health.state === 'unknown') this.#setHealth(nextHealth(this.#health, result, this.#config.probe, now));
    // The limit of the probe's own user says nothing about the clients' users.
    if (this.#config.credentials !== 'forward') this.#traffic.backOff(ms);
  }

  #setHealth(health: Health): void {
    const { state } = this.#health;
    this.#health = health;
    if (state === health.state) return;
    this.#events.health(this.#name, this.url, state, health.state, health.reason);
    if (health.state === 'down') for (const resolve of this.#onDown) resolve();
  }

  /**
   * Applies a canary read between probes. A failure brings the next probe forward; a success changes no state, so that
   * the state does not flap.
   * @param late no answer came in time: the URL may be merely slow, which the probes find out
   */
  recordCanary(state: CanaryState, late = false): void {
    // A configured canary that could not be judged keeps its state.
    if (!late && (state !== 'none' || !this.canary.configured)) this.#canaryState = state;
    if (state === 'good') this.#onGoodCanary(monotonicNow());
    if (state !== 'failing') return;
    this.#traffic.suspicion.suspect(monotonicNow());
    this.onTrouble();
  }

  #onGoodCanary(now: number): void {
    this.#goodCanaryAt = now;
    this.recordSight({ kind: 'content' });
  }

  view(): ReplicaView {
    const { suspicion } = this.#traffic;
    return {
      url: this.url,
      state: this.#health.state,
      since: this.#health.since,
      reason: this.#health.reason,
      canary: this.#canaryState,
      proof: this.#proof,
      lastProbeAt: this.#lastProbeAt,
      goodProbeAt: this.#goodProbeAt,
      probeMs: this.#probeMs,
      breakers: this.#traffic.breakers,
      trialFree: this.#traffic.trialFree,
      suspected: suspicion.suspected,
      slow: suspicion.asSlow && this.#health.state === 'up',
      retryAfterUntil: this.#traffic.retryAfterUntil,
      pairBackoff: this.#traffic.pairBackoff,
      inFlight: { control: this.#limits.control.inUse, data: this.#limits.data.inUse },
      waiting: { control: this.#limits.control.queued, data: this.#limits.data.queued },
      saturated: { control: this.#limits.control.full, data: this.#limits.data.full },
      isSaturatedFor: (client, trafficClass) => this.#limits[trafficClass]?.isFullFor(client) ?? false,
      firstByteP95: { control: this.latency.control.p95, data: this.latency.data.p95 },
    };
  }

  dispose(): void {
    this.#traffic.dispose();
  }
}
