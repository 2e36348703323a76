import type { Logger } from 'pino';
import { CLOCK_TOLERANCE_MS, monotonicNow } from '../clock/clock.ts';
import { ACKNOWLEDGE_MS } from '../failover/unheard.ts';
import type { PeerSight } from '../failover/vip-eligibility.ts';
import type { PeerView } from '../peer/peer-view.ts';

/** What this edge knows of the other ones. */
export interface KnownPeers {
  sights: () => readonly PeerSight[];
  /** Name of each upstream -> its identity. */
  registries: () => ReadonlyMap<string, string>;
}

/** Logs each change of a peer's state, and what is wrong between the two edges when they have heard of each other. */
export function peerEvents(log: Logger, { sights, registries }: KnownPeers): (view: PeerView) => void {
  return ({ url, address, state, reason, clockAheadMs }) => {
    const peer = { peer: url, address };
    const well = state === 'in-step' || state === 'behind' || state === 'itself';
    const todo = state === 'stranger' ? '; give both the same keyFile, and run breakwater check on both' : '';
    log[well ? 'info' : 'warn']({ ...peer, state, reason }, `peer is ${state}${todo}`);
    if (clockAheadMs !== null && Math.abs(clockAheadMs) >= CLOCK_TOLERANCE_MS)
      log.warn(
        { ...peer, clockAheadMs },
        'the clock of the host of another edge differs, so tokens of one edge may be refused by the other one; look at the time synchronization of both',
      );
    const there = sights()
      .find((one) => one.peer === address)
      ?.upstreams.map(({ id }) => id);
    const lacking = [...registries()].flatMap(([name, id]) => (there?.includes(id) === false ? [name] : []));
    if (lacking.length > 0)
      log.warn(
        { ...peer, upstreams: lacking },
        'another edge has no upstreams with these urls, so the edges do not share what they learn there; write the same urls on both',
      );
  };
}

/** Milliseconds between two lines about edges that are late. Every write may cause such an event. */
const LATE_EVERY_MS = 10_000;

/** Logs which edge did not acknowledge a write in time. */
export function lateEvents(log: Logger): (from: string) => void {
  let logged = Number.NEGATIVE_INFINITY;
  let times = 0;
  return (from) => {
    times += 1;
    if (monotonicNow() - logged < LATE_EVERY_MS) return;
    log.warn(
      { peer: from, times },
      `another edge did not acknowledge a write within ${ACKNOWLEDGE_MS} ms; replies do not wait for it until it has caught up`,
    );
    logged = monotonicNow();
    times = 0;
  };
}
