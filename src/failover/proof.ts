/**
 * Whether an upstream has shown content since this edge started. `proven`: something was read there, or its catalog names something.
 * `unproven`: it lists nothing, or what it lists cannot be read. `unknown`: nothing was read yet, and its list cannot be asked. `allowed`:
 * the same as the last two, but the operator says that it may be empty (`probe.allowEmpty`).
 */
export type ProofState = 'proven' | 'unproven' | 'unknown' | 'allowed';

/** What is known of the content at one URL. `since` is in monotonic milliseconds. */
export interface Proof {
  state: ProofState;
  since: number;
  reason: string;
}

/** One look at the content of a URL. `unclear`: the look shows nothing, for example because the upstream has no catalog. */
export type Sight = { kind: 'content' } | { kind: 'empty' | 'unclear'; reason: string };

export function initialProof(now: number): Proof {
  return { state: 'unknown', since: now, reason: 'not looked at yet' };
}

/**
 * What is known after a look:
 *
 *   any state --content--> proven, for good: what comes later is for the canary and the stand-ins to notice
 *   unknown   --empty--> unproven, or allowed by `allowEmpty`
 *   unproven  --unclear--> unproven: the list that was empty still counts
 */
export function nextProof(proof: Proof, sight: Sight, allowEmpty: boolean, now: number): Proof {
  if (proof.state === 'proven') return proof;
  if (sight.kind === 'content') return { state: 'proven', since: now, reason: 'content was seen' };
  const state = allowEmpty ? 'allowed' : sight.kind === 'empty' || proof.state === 'unproven' ? 'unproven' : 'unknown';
  if (state === 'unproven' && sight.kind === 'unclear') return proof;
  return { state, since: state === proof.state ? proof.since : now, reason: sight.reason };
}

/** Whether a 404 from this URL says that content is absent. Otherwise its storage may be missing. */
export function isAbsenceCredible({ state }: Proof): boolean {
  return state === 'proven' || state === 'allowed';
}

/**
 * Whether a list of a registry's repositories may be compared with others, so that what it lacks counts as deleted. Storage that is not
 * mounted lists nothing, so a list without any repository needs more than that.
 * @param listed repositories in the list, whether they are wanted or not
 */
export function isListCredible(listed: number, canary: 'good' | 'failing' | 'none', proofs: readonly Proof[]): boolean {
  return listed > 0 || canary === 'good' || (proofs.length > 0 && proofs.every(({ state }) => state === 'allowed'));
}

/** The canary that is missing may never have been there. The reason why the upstream is down, with the command that makes one. */
export function withCanaryAdvice(reason: string, upstream: string, proofs: readonly Proof[]): string {
  if (!/^canary manifest answers 404$/.test(reason) || proofs.some(({ state }) => state === 'proven')) return reason;
  return `${reason}; if the registry is new, run "breakwater canary push ${upstream}"`;
}

/** Why an upstream takes no uploads while every URL of it is unproven, with the commands that end it. Undefined: it takes them. */
export function unprovenObstacle(upstream: string, proofs: readonly Proof[]): string | undefined {
  const [first] = proofs;
  if (!first || proofs.some(({ state }) => state !== 'unproven')) return undefined;
  return (
    `${first.reason}, so its storage may be missing; if it is new and empty, run "breakwater canary push ${upstream}", ` +
    `or set upstreams.${upstream}.probe.allowEmpty to true`
  );
}
