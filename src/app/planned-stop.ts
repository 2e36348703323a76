import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { monotonicNow } from '../clock/clock.ts';
import { NetworkSet } from '../config/network.ts';
import type { Config } from '../config/schema.ts';
import type { PeerView } from '../peer/peer-view.ts';
import type { DrainResult } from '../server/drain.ts';
import { type HoldEnd, type HoldState, holdEnd, LAST_MS, nextHoldStep } from '../server/hold-step.ts';
import type { StopView } from '../status/stop-view.ts';
import type { ClientListeners, HeldListeners } from './client-listeners.ts';
import type { LeaveFile } from './leave-file.ts';
import { ownVip } from './own-vip.ts';

export interface PlannedStopParts {
  clients: Pick<ClientListeners, 'hold' | 'drain'>;
  drain: Config['drain'];
  leaveFile: Pick<LeaveFile, 'write'>;
  peers: () => readonly PeerView[];
  log: Logger;
  /** Called when `/readyz` and `/vipz` fail from now on. */
  onUnready: () => void;
  /** Called when no client gets a reply any more. */
  onLast: () => void;
  /** The addresses of this machine. Default: as the system tells them. */
  addresses?: (() => readonly string[]) | undefined;
}

/** Milliseconds between two looks: with few connections, and with many. */
const LOOK_MS = { few: 20, many: 200 };
const MANY = 200;
/** Milliseconds between two log lines while the address is held. */
const PROGRESS_MS = 30_000;

/** Milliseconds that a stop may take. */
export function longestStop({ announce, timeout, vip }: Config['drain']): number {
  return announce + timeout + (vip.length > 0 ? LAST_MS : 0);
}

/** Stops an edge so that the clients of its address notice as little as possible (docs/adr/0042-planned-stop.md). */
export class PlannedStop {
  readonly #parts: PlannedStopParts;
  readonly #vip: NetworkSet;
  readonly #begun = monotonicNow();
  #stage: StopView['stage'] = 'holding';
  #load: () => { underWay: number; oldest: number } | undefined = () => undefined;
  #held: DrainResult = { finished: 0, cut: 0 };

  constructor(parts: PlannedStopParts) {
    this.#parts = parts;
    this.#vip = new NetworkSet(parts.drain.vip);
  }

  /** What the status tells of the stop. */
  view(): StopView {
    const { announce, timeout } = this.#parts.drain;
    const load = this.#load();
    return {
      stage: this.#stage,
      since: this.#begun,
      until: this.#begun + timeout + (this.#stage === 'holding' ? 0 : announce),
      underWay: load?.underWay ?? null,
    };
  }

  /** Resolves when no client is served any more. */
  async run(): Promise<DrainResult> {
    const { drain, clients, log, onLast } = this.#parts;
    const vip = this.#vipHere();
    if (vip.length > 0) await this.#holdVip(vip);
    else if (drain.loadBalancer === 'cuts') await this.#holdForBalancer();
    else await this.#announce();
    this.#stage = 'draining';
    const left = vip.length > 0 || drain.loadBalancer === 'cuts' ? this.#timeLeft() : drain.timeout;
    const drained = await clients.drain({ timeout: left, onLast });
    const counts = { finished: this.#held.finished + drained.finished, cut: this.#held.cut + drained.cut };
    log.info(counts, 'drained');
    return counts;
  }

  /** While the address is here, nobody else gets its connections, and what leaves after it never reaches a client. */
  async #holdVip(vip: readonly string[]): Promise<void> {
    const { clients, drain, leaveFile, log, onUnready } = this.#parts;
    // A machine has few addresses, and may have thousands of connections.
    const known = new Map<string, boolean>();
    const isHeld = (address = '') => {
      const held = known.get(address) ?? this.#vip.has(address);
      known.set(address, held);
      return held;
    };
    const held = clients.hold({ isHeld, untilAcknowledged: true });
    this.#load = () => held.load();
    this.#tellHold({ vip }, 'this node keeps the VIP until what is under way has ended');
    const end = await this.#hold(held, () => this.#vipHere().length > 0);
    // Nothing may come in any more, and what is cut must be cut while its address is here.
    const ignored = held.ignoreNew(true);
    await held.cut();
    this.#held = held.counts();
    leaveFile.write(true);
    onUnready();
    this.#stage = 'announcing';
    log[end === 'quiet' ? 'info' : 'warn'](
      { end, ...this.#held, seconds: this.#seconds() },
      'this node gives up the VIP',
    );
    const until = monotonicNow() + drain.announce;
    while (this.#vipHere().length > 0 && monotonicNow() < until) await sleep(LOOK_MS.few);
    const still = this.#vipHere();
    if (still.length > 0) {
      const told =
        'the VIP is still on this node after drain.announce, so its clients are refused from now on; does keepalived check /vipz?';
      log.warn({ vip: still }, told);
    } else {
      log.info({ seconds: this.#seconds() }, 'the VIP has left this node');
      if (!ignored) await held.cut();
    }
    // A service manager may keep the listening socket for the next start, and a filter stays with it.
    held.ignoreNew(false);
  }

  /** Such a load balancer cuts what is under way once `/readyz` fails, so that comes last. */
  async #holdForBalancer(): Promise<void> {
    const held = this.#parts.clients.hold({ isHeld: () => true, untilAcknowledged: false });
    this.#load = () => held.load();
    this.#tellHold({}, '/readyz stays good until what is under way has ended, because drain.loadBalancer is cuts');
    const end = await this.#hold(held, undefined);
    this.#held = held.counts();
    this.#parts.log.info({ end, ...this.#held, seconds: this.#seconds() }, '/readyz fails from now on');
    await this.#announce();
    this.#held = held.counts();
  }

  /** Fails the checks, and serves until clients go elsewhere. */
  async #announce(): Promise<void> {
    this.#stage = 'announcing';
    this.#parts.leaveFile.write(true);
    this.#parts.onUnready();
    await sleep(this.#parts.drain.announce);
  }

  async #hold(held: HeldListeners, isVipHere: (() => boolean) | undefined): Promise<HoldEnd> {
    const { drain, log } = this.#parts;
    let door = isVipHere && held.ignoreNew(false) ? { closed: false, since: Number.NEGATIVE_INFINITY } : undefined;
    let busyAt = monotonicNow();
    let toldAt = busyAt;
    let cutLong = false;
    for (;;) {
      const now = monotonicNow();
      const load = held.load();
      if (load.underWay > 0) busyAt = now;
      const state: HoldState = {
        ...{ elapsed: now - this.#begun, timeout: drain.timeout, vipHere: isVipHere?.() },
        ...{ underWay: load.underWay, oldest: load.oldest, quiet: now - busyAt },
        ...{ door: door && { ...door, since: now - door.since }, settled: held.settled || load.connections === 0 },
        cutLong,
      };
      const step = nextHoldStep(state);
      if (step === 'over') return held.counts().cut > 0 ? 'timeout' : (holdEnd(state) ?? 'quiet');
      if (step === 'cut-long') {
        cutLong = true;
        // What was under way at SIGTERM has had its time.
        await held.cut(Math.min(LAST_MS, now - this.#begun));
      } else if (step !== 'wait') {
        const closed = step === 'ignore-new';
        door = held.ignoreNew(closed) ? { closed, since: now } : undefined;
        if (closed) busyAt = now;
      }
      if (now - toldAt >= PROGRESS_MS) {
        toldAt = now;
        log.info(this.#progress(), 'still stopping');
      }
      await sleep(load.connections > MANY ? LOOK_MS.many : LOOK_MS.few);
    }
  }

  #tellHold(about: object, told: string): void {
    const { log, peers } = this.#parts;
    log.info({ ...about, ...this.#progress() }, told);
    const others = peers().filter(({ state }) => state !== 'itself');
    if (others.some(({ state }) => state === 'in-step' || state === 'behind')) return;
    log.warn('no other edge answers, so nobody may serve when this one has stopped');
  }

  #progress(): object {
    const { underWay = 0, oldest = 0 } = this.#load() ?? {};
    return { underWay, oldestSeconds: Math.round(oldest / 1000), atMostSeconds: Math.ceil(this.#timeLeft() / 1000) };
  }

  #vipHere(): string[] {
    return ownVip(this.#parts.drain.vip, this.#parts.addresses);
  }

  #timeLeft(): number {
    return Math.max(0, this.#begun + this.#parts.drain.timeout - monotonicNow());
  }

  #seconds(): number {
    return Math.round((monotonicNow() - this.#begun) / 100) / 10;
  }
}
