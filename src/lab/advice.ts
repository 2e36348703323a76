import type { FaultName } from './fault.ts';

/** What a fault does, seen through the edge: first where it hits the registry that takes pushes, then where it hits the fallback. */
interface Effect {
  primary: string;
  fallback: string;
}

const OUTAGE: Effect = {
  primary:
    'Try: pull hello; it succeeds, from the fallback. Push: refused with 403 DENIED and the reason (503 in the second or so before the probes notice). Switched off, the primary is back after some 3 s, and takes pushes 2 s later.',
  fallback: 'Expected: nobody notices while the primary serves. With both out, pulls end in 503 within 10 s.',
};
const UNNOTICED = 'Expected: nobody notices while the primary serves. Switch the primary down as well to see it.';
const MIDWAY: Effect = {
  primary:
    'Try: pull big; it arrives whole: from where the primary broke off the fallback goes on. After some five of them the breaker opens, and the fallback serves at once.',
  fallback: UNNOTICED,
};

const EFFECTS: Record<FaultName, Effect> = {
  down: OUTAGE,
  frozen: OUTAGE,
  storageHung: OUTAGE,
  storageGone: OUTAGE,
  errors: OUTAGE,
  emptyChallenge401: OUTAGE,
  rateLimited: OUTAGE,
  cut: MIDWAY,
  short: MIDWAY,
  stall: { ...MIDWAY, primary: `${MIDWAY.primary} It goes on after 5 s without a byte.` },
  slow: { primary: 'Try: pull big; it takes its time, and arrives whole from the primary.', fallback: UNNOTICED },
  delay: {
    primary:
      'Try: pull hello; it is slower. Unless ms is below 500, which a probe may take here, the primary is soon down and the fallback serves.',
    fallback: UNNOTICED,
  },
  corrupt: {
    primary:
      'Try: pull big; the first transfer ends short, because its digest is wrong; the next one comes from the fallback. Switched off, the primary serves that blob again once the edge has read it anew (verifyAgain).',
    fallback: UNNOTICED,
  },
  wrongLength: {
    primary: 'Try: pull big; the client refuses the blob. Wrong bytes never pass as right.',
    fallback: UNNOTICED,
  },
  readOnly: {
    primary: 'Try: push; refused with 403 DENIED. Pull hello: as before, from the primary.',
    fallback: 'Expected: nobody notices, since nothing is ever written there.',
  },
  unhealthy: {
    primary: 'Try: status; it names the component. Pull hello: as before, while the canary can be read.',
    fallback: 'Expected: nothing; only Harbor says how its components are.',
  },
};

/** What to try after a switch was thrown, and what should be seen. @param fault undefined: all of them */
export function advice(fault: FaultName | undefined, on: boolean, side: 'primary' | 'fallback'): string {
  if (on && fault) return EFFECTS[fault][side];
  if (side === 'fallback') return 'Expected: status shows it up again within some 3 s.';
  return 'Expected: status shows it up within some 3 s (hold-down), and pushes are admitted 2 s later. Pull hello: it comes from the primary again.';
}
