import type { HealthState } from './view.ts';

/** Health of one URL as its probes show it. Times are monotonic milliseconds. */
export interface Health {
  state: HealthState;
  since: number;
  reason: string;
  /** Consecutive results that contradict the state. */
  streak: number;
  /** Since the last good probe, one got a bad answer. Otherwise the bad ones got no answer in time: the upstream may be merely slow. */
  answeredBadly: boolean;
}

export interface HealthRules {
  fall: number;
  rise: number;
  /** Milliseconds. */
  interval: number;
  fastInterval: number;
  holdDown: number;
}

export interface ProbeResult {
  ok: boolean;
  reason: string;
  /** Bad: the probe was not answered in time. Good: it was answered, later than probes are waited for. */
  late?: boolean;
}

export function initialHealth(now: number): Health {
  return { state: 'unknown', since: now, reason: 'not probed yet', streak: 0, answeredBadly: false };
}

/**
 * The health after a probe:
 *
 *   unknown --any result--> up | down
 *   up   --`fall` bad in a row--> down
 *   down --`rise` good in a row, and `holdDown` over--> up
 *   down, because of silence only --a late good answer--> up: it was slow, and never down (rule 11)
 */
export function nextHealth(health: Health, result: ProbeResult, rules: HealthRules, now: number): Health {
  const { ok, reason, late = false } = result;
  const isDown = health.state === 'down';
  const becomes = changesState(health, result, rules, now);
  const answeredBadly = ok ? isDown && !becomes && health.answeredBadly : health.answeredBadly || !late;
  if (becomes) return { state: ok ? 'up' : 'down', since: now, reason, streak: 0, answeredBadly };
  if (ok !== isDown) return { ...health, streak: 0, reason, answeredBadly };
  return { ...health, streak: health.streak + 1, answeredBadly };
}

function changesState(
  { state, since, streak, answeredBadly }: Health,
  { ok, late }: ProbeResult,
  { rise, fall, holdDown }: HealthRules,
  now: number,
): boolean {
  if (state === 'unknown') return true;
  if (state === 'up') return !ok && streak + 1 >= fall;
  if (!ok) return false;
  if (late && !answeredBadly) return true;
  return streak + 1 >= rise && now - since >= holdDown;
}

/** Shorter delays of the event loop are usual. */
const NOTABLE_DELAY_MS = 50;
/** Milliseconds for reading an answer that has arrived while the event loop stood still. */
const CATCH_UP_MS = 100;
/** Longest time of a probe, as a multiple of its limit, while the edge itself is short of CPU. */
const MAX_STRETCH = 3;

/**
 * Milliseconds that a probe is still waited for: until its limit, and for as long as the event loop of the edge stood still meanwhile,
 * because the answer may lie unread in the socket. Bounded, so that a busy edge notices an outage too.
 * @param elapsed milliseconds since the probe began
 * @param blocked milliseconds of them in which the event loop stood still
 */
export function probeTimeLeft(limit: number, elapsed: number, blocked: number): number {
  const due = blocked < NOTABLE_DELAY_MS ? limit : Math.min(limit + blocked + CATCH_UP_MS, MAX_STRETCH * limit);
  return Math.max(0, due - elapsed);
}

/**
 * Milliseconds that a probe is waited for once more after `probeTimeLeft`: if a standstill of the event loop was longer than that allows, the
 * rest of the limit, without the standstill. The answer may lie unread in the socket.
 */
export function probeTimeAfterStandstill(limit: number, elapsed: number, blocked: number): number {
  if (blocked < NOTABLE_DELAY_MS || limit + blocked + CATCH_UP_MS <= MAX_STRETCH * limit) return 0;
  return Math.max(CATCH_UP_MS, limit - (elapsed - blocked));
}

/**
 * Milliseconds until the next probe, jittered by a tenth either way, so that the edges of a pair do not probe in step.
 * @param random 0 to 1
 */
export function probeDelay(health: Health, rules: HealthRules, random: number): number {
  const changing = health.state === 'unknown' || health.streak > 0;
  return (changing ? rules.fastInterval : rules.interval) * (0.9 + 0.2 * random);
}
