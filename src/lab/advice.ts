import type { FaultName } from './fault.ts';

/** What a fault does, seen through the edge: first where it hits the registry that takes pushes, then where it hits the fallback. */
interface Effect {
  primary: string;
  fallback: string;
}

const OUTAGE: Effect = {
  primary:
    'pull hello: it succeeds, from the fallback. Push: refused at once with 403 DENIED and the reason. "off" later brings traffic back after some 3 s, pushes 2 s after that.',
  fallback: 'pull hello: nothing is noticed, the primary serves. With both out, pulls end in 503 within 10 s.',
};
const MIDWAY: Effect = {
  primary:
    'pull big: the transfer breaks off short of its length, never as if it were whole; containerd resumes it from the fallback, skopeo reports it. Pull again: the fallback serves.',
  fallback:
    'nothing, as long as the primary serves. Switch the primary down as well to see the fallback itself break off.',
};
const NO_CHANGE = 'nothing, as long as the primary serves.';

const EFFECTS: Record<FaultName, Effect> = {
  down: OUTAGE,
  frozen: OUTAGE,
  storageHung: OUTAGE,
  storageGone: OUTAGE,
  errors: OUTAGE,
  emptyChallenge401: OUTAGE,
  rateLimited: {
    ...OUTAGE,
    primary: 'pull hello: it succeeds, from the fallback, and the primary is left alone for as long as it asked.',
  },
  cut: MIDWAY,
  short: MIDWAY,
  stall: { ...MIDWAY, primary: `${MIDWAY.primary} The break comes after 5 s without a byte.` },
  slow: { primary: 'pull big: it takes its time, and arrives whole from the primary.', fallback: NO_CHANGE },
  delay: {
    primary:
      'pull hello: slower; with ms above the deadlines (3000 for manifests, 5000 for blobs) the fallback serves.',
    fallback: NO_CHANGE,
  },
  corrupt: {
    primary: 'pull big: the client finds the wrong digest and refuses the blob; it is never taken for right.',
    fallback: NO_CHANGE,
  },
  wrongLength: { primary: 'pull big: the client refuses the blob; it is never taken for right.', fallback: NO_CHANGE },
  readOnly: {
    primary: 'push: refused with 403 DENIED. Pull: as before, from the primary.',
    fallback: 'nothing: nobody writes there.',
  },
  unhealthy: {
    primary: 'status: it names the component. Pull: as before, as long as the canary can be read.',
    fallback: NO_CHANGE,
  },
};

/** What to try after a switch was thrown, and what should be seen. @param fault undefined: all of them */
export function advice(fault: FaultName | undefined, on: boolean, side: 'primary' | 'fallback'): string {
  if (on && fault) return `Try: ${EFFECTS[fault][side]}`;
  if (side === 'fallback') return 'Expected: status shows it up again within some 3 s.';
  return 'Expected: status shows it up within some 3 s (hold-down), pushes are admitted 2 s later; pull hello then comes from it again.';
}
