import type { Gate, ReplicaView, UpstreamView } from './view.ts';

/** How far a write under way has come. */
export interface PushProgress {
  /** `sending`: the upstream has bytes to take. `waiting`: the client has bytes to send. `sent`: the upstream has them all. */
  phase: 'sending' | 'waiting' | 'sent';
  /** When bytes last moved; monotonic milliseconds. */
  movedAt: number;
}

/**
 * Whether a write under way is given up, because its upstream neither moves it nor answers probes. Slow is not down (rule 11): storage may
 * need minutes to commit a large blob, and may answer no probe in time meanwhile. After the last byte, only a URL that is down ends the wait.
 * @param stallMs milliseconds without progress and without a good probe
 */
export function isStalled(
  { phase, movedAt }: PushProgress,
  { state, lastProbeAt = 0, goodProbeAt = 0 }: Pick<ReplicaView, 'state' | 'lastProbeAt' | 'goodProbeAt'>,
  stallMs: number,
  now: number,
): boolean {
  const quietSince = Math.max(movedAt, goodProbeAt);
  if (now - quietSince < stallMs) return false;
  return phase === 'sending' ? lastProbeAt > quietSince : state === 'down';
}

/**
 * Why another try of a stalled write would be refused too. Undefined: another URL of the upstream is well, or probes of this one are good.
 * @param stallMs milliseconds for which the write did not move
 */
export function stallObstacle(
  { gate, replicas }: UpstreamView,
  url: string,
  stallMs: number,
  now: number,
): Gate | undefined {
  const stalled = `a push under way did not move for ${stallMs / 1000} s`;
  if (gate.mode === 'refusing') return { ...gate, reason: `${gate.reason}; ${stalled}` };
  if (anotherServes(replicas, url)) return undefined;
  const { lastProbeAt = 0, goodProbeAt = 0 } = replicas.find((one) => one.url === url) ?? {};
  if (lastProbeAt <= goodProbeAt) return undefined;
  return { mode: 'refusing', since: now - stallMs, reason: `its last probe failed; ${stalled}` };
}

/** Whether the next request of an upload would be answered by another URL of the upstream, if this one cannot be reached. */
export function anotherServes(replicas: readonly ReplicaView[], url: string): boolean {
  return replicas.some((one) => one.url !== url && one.state === 'up' && !one.suspected);
}
