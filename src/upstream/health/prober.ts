import type { ProbeConfig } from '../../config/schema.ts';
import { probeDelay } from '../../failover/health.ts';
import type { CanaryState } from '../../failover/view.ts';
import type { Connection } from '../connection.ts';
import type { ProbeGet } from './byte-range-probe.ts';
import { type ProbeReport, probe, readCanary } from './probe.ts';
import type { Replica } from './replica.ts';

/** Keeps probing one URL, sooner when its state is changing or when traffic met trouble. */
export class Prober {
  readonly #replica: Replica;
  readonly #connection: Connection;
  readonly #config: ProbeConfig;
  readonly #onReport: (report: ProbeReport) => void;
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  /** Trouble came while a probe was under way that began before it. */
  #again = false;
  /** When the last probe began; epoch milliseconds. */
  #startedAt = 0;
  #stopped = false;
  #dueAt = 0;
  #confirming: Promise<CanaryState> | undefined;
  #nextConfirm: Promise<CanaryState> | undefined;

  constructor(replica: Replica, connection: Connection, config: ProbeConfig, onReport: (report: ProbeReport) => void) {
    this.#replica = replica;
    this.#connection = connection;
    this.#config = config;
    this.#onReport = onReport;
    replica.onTrouble = () => this.#hurry();
  }

  /** Begins. Resolves after the first probe, which takes at most `timeout`. */
  async start(): Promise<void> {
    await this.#probe();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /**
   * Whether the upstream sees its storage now: a canary read that began after this call. Callers at the same time share one.
   */
  async confirm(): Promise<CanaryState> {
    if (!this.#confirming) {
      this.#confirming = this.#readCanary().finally(() => {
        this.#confirming = undefined;
      });
      return this.#confirming;
    }
    // The one under way began before: its result says nothing of what has just been seen.
    this.#nextConfirm ??= this.#confirming.then(() => {
      this.#nextConfirm = undefined;
      return this.confirm();
    });
    return this.#nextConfirm;
  }

  async #readCanary(): Promise<CanaryState> {
    const signal = AbortSignal.timeout(this.#config.timeout);
    const { state } = await readCanary(this.#replica.canary, this.#get(signal), signal);
    this.#replica.canaryRead(state);
    return state;
  }

  /** A failure in traffic is news: the next probe is due now, but never more often than `fastInterval`. */
  #hurry(): void {
    if (this.#running) this.#again = true;
    if (this.#stopped || this.#running) return;
    const now = Date.now();
    const due = Math.max(now + this.#config.fastInterval / 10, this.#startedAt + this.#config.fastInterval);
    if (due < this.#dueAt) this.#schedule(due - now);
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#dueAt = Date.now() + ms;
    this.#timer = setTimeout(() => void this.#probe(), ms);
    this.#timer.unref();
  }

  async #probe(): Promise<void> {
    this.#running = true;
    this.#again = false;
    this.#startedAt = Date.now();
    const started = performance.now();
    const signal = AbortSignal.timeout(this.#config.timeout);
    const report = await probe(this.#config.kind, this.#replica.canary, this.#get(signal), signal);
    this.#running = false;
    if (this.#stopped) return;
    this.#replica.probed(report, Math.round(performance.now() - started));
    this.#onReport(report);
    const delay = probeDelay(this.#replica.health, this.#config, Math.random());
    this.#schedule(this.#again ? Math.min(delay, this.#config.fastInterval) : delay);
  }

  #get(signal: AbortSignal): ProbeGet {
    return (path, headers, scopes) => {
      const call = { method: 'GET', path, headers, signal, redirects: 'follow' } as const;
      if (scopes === 'api') return this.#connection.sendApi({ ...call, scopes: [], redirects: 'pass' });
      return this.#connection.sendProbe({ ...call, scopes });
    };
  }
}
