import type { Gate, HealthState } from './view.ts';

export interface GateInput {
  state: HealthState;
  /** Why the upstream is in this state. */
  reason: string;
  readOnly: boolean;
  /** Writes fail although probes succeed. */
  pushBreakerOpen: boolean;
  /** The canary of each URL has just failed. That is too early for `down`, but too risky for a write. */
  doubtful: boolean;
  /** Why it takes no uploads before it has shown content; see `unprovenObstacle`. Undefined: it has. */
  unproven: string | undefined;
  /** The edge's own credentials open nothing at the upstream. */
  refused: boolean;
}

/**
 * The write gate of an upstream after a change (docs/adr: one write gate):
 *
 *   refusing  --upstream can take writes-->  settling  --`settle` over-->  accepting
 *   accepting, settling  --it cannot-->  refusing
 *
 * An edge that has just started accepts as soon as the first probe is good: it has told no client anything yet.
 */
export function nextGate(gate: Gate | undefined, input: GateInput, settle: number, now: number): Gate {
  const obstacle = writeObstacle(input);
  if (obstacle !== undefined) {
    if (gate?.mode === 'refusing') return gate.reason === obstacle ? gate : { ...gate, reason: obstacle };
    return { mode: 'refusing', since: now, reason: obstacle };
  }
  if (gate === undefined) return { mode: 'accepting', since: now, reason: input.reason };
  if (gate.mode === 'refusing') {
    if (settle <= 0 || gate.reason === NOT_PROBED) return { mode: 'accepting', since: now, reason: input.reason };
    return { mode: 'settling', since: now, reason: 'back, and settling' };
  }
  if (gate.mode === 'settling' && now - gate.since >= settle)
    return { mode: 'accepting', since: now, reason: input.reason };
  return gate;
}

const NOT_PROBED = 'not probed yet';

function writeObstacle(input: GateInput): string | undefined {
  if (input.state === 'unknown') return NOT_PROBED;
  if (input.state === 'down') return input.reason;
  if (input.refused) return "it refuses the edge's credentials; an operator must renew them";
  if (input.unproven !== undefined) return input.unproven;
  if (input.readOnly) return 'it is read-only';
  if (input.pushBreakerOpen) return 'writes to it fail';
  if (input.doubtful) return 'its canary cannot be read';
  return undefined;
}

/** What Harbor said of its read-only mode, and when; monotonic milliseconds. */
export interface ToldMode {
  readOnly: boolean;
  at: number;
}

/** Milliseconds for which that counts at least. */
const TOLD_MS = 60_000;
/** Probes for which it counts: one of them may have no answer. */
const TOLD_PROBES = 3;

/**
 * Whether the upstream is read-only; undefined: it is not known, because it has not told for long. Pushes then go to it, and get its own
 * answer.
 * @param interval milliseconds between two probes
 */
export function currentReadOnly(told: ToldMode | undefined, interval: number, now: number): boolean | undefined {
  const keptMs = Math.max(TOLD_MS, TOLD_PROBES * interval);
  return told && now - told.at <= keptMs ? told.readOnly : undefined;
}
