import type { HealthState } from './view.ts';

/** Health of one URL as its probes show it. Times are monotonic milliseconds. */
export interface Health {
  state: HealthState;
  since: number;
  reason: string;
  /** Consecutive results that contradict the state. */
  streak: number;
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
}

export function initialHealth(now: number): Health {
  return { state: 'unknown', since: now, reason: 'not probed yet', streak: 0 };
}

/**
 * The health after a probe:
 *
 *   unknown --any result--> up | down
 *   up   --`fall` bad in a row--> down
 *   down --`rise` good in a row, and `holdDown` over--> up
 */
export function nextHealth(health: Health, result: ProbeResult, rules: HealthRules, now: number): Health {
  if (health.state === 'unknown') {
    return { state: result.ok ? 'up' : 'down', since: now, reason: result.reason, streak: 0 };
  }
  const contradicts = result.ok !== (health.state === 'up');
  if (!contradicts) return { ...health, streak: 0, reason: result.reason };
  const streak = health.streak + 1;
  const enough = streak >= (health.state === 'up' ? rules.fall : rules.rise);
  const held = health.state === 'down' && now - health.since < rules.holdDown;
  if (!enough || held) return { ...health, streak };
  return { state: result.ok ? 'up' : 'down', since: now, reason: result.reason, streak: 0 };
}

/**
 * Milliseconds until the next probe, jittered by a tenth either way, so that the edges of a pair do not probe in step.
 * @param random 0 to 1
 */
export function probeDelay(health: Health, rules: HealthRules, random: number): number {
  const changing = health.state === 'unknown' || health.streak > 0;
  return (changing ? rules.fastInterval : rules.interval) * (0.9 + 0.2 * random);
}
