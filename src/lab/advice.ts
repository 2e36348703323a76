import type { FaultName } from './fault.ts';

/** What a visitor sees of a fault through the edge: of harbor, which takes pushes, or of gcr, the fallback. */
interface Effect {
  primary: string;
  fallback: string;
}

const OUTAGE: Effect = {
  primary:
    'Try: pull hello. It comes from gcr. Push: Breakwater refuses with 403 DENIED and the reason (503 in the first seconds, before the probes notice).',
  fallback: 'Expected: pulls go on, because harbor serves them. Pushes are copied to gcr later.',
};
const UNNOTICED = 'Expected: pulls go on, because harbor serves them. Break harbor too, and then pull.';
const MIDWAY: Effect = {
  primary:
    'Try: pull big. It arrives whole: the download resumes on gcr. After about 5 such pulls the breaker opens, and gcr serves from the first byte.',
  fallback: UNNOTICED,
};

const EFFECTS: Record<FaultName, Effect> = {
  down: OUTAGE,
  frozen: OUTAGE,
  storageHung: OUTAGE,
  storageGone: OUTAGE,
  errors: OUTAGE,
  emptyChallenge401: OUTAGE,
  databaseDown: {
    primary:
      'Try: pull hello. Harbor refuses every login, so it comes from gcr. Users of mode delegate pull what they pulled before.',
    fallback: 'Expected: no change. Only a Harbor has a database of users.',
  },
  rateLimited: OUTAGE,
  cut: MIDWAY,
  short: MIDWAY,
  stall: { ...MIDWAY, primary: `${MIDWAY.primary} It resumes after 2 s without a byte.` },
  slow: {
    primary:
      'Try: pull big. It takes 8 s at 4 MB a second, and comes from harbor. Freeze harbor meanwhile: the download resumes on gcr.',
    fallback: UNNOTICED,
  },
  delay: {
    primary:
      'Try: pull hello. Breakwater soon asks gcr in parallel, and takes the first answer. Pushes still go to harbor, because slow is not down.',
    fallback: UNNOTICED,
  },
  corrupt: {
    primary:
      'Try: pull big. The first download ends short, because its digest is wrong; the next one comes from gcr. Harbor serves that blob again when Breakwater has verified it (verifyAgain).',
    fallback: UNNOTICED,
  },
  wrongLength: {
    primary: 'Try: pull big. The client refuses the blob: no wrong bytes pass as right.',
    fallback: UNNOTICED,
  },
  readOnly: {
    primary: 'Try: push. Breakwater refuses with 403 DENIED. Pull hello: it still comes from harbor.',
    fallback: 'Expected: pulls and pushes go on. Pushes are copied to gcr later.',
  },
  unhealthy: {
    primary: 'Try: status. It names the component. Pull hello: it comes from harbor as long as the canary can be read.',
    fallback: 'Expected: no change. Only a Harbor reports its components.',
  },
};

/** What to try after a fault was switched, and what to expect then. @param fault undefined: all of them */
export function advice(fault: FaultName | undefined, on: boolean, side: 'primary' | 'fallback'): string {
  if (on && fault) return EFFECTS[fault][side];
  if (side === 'fallback') return 'Expected: status shows it up again within about 4 s.';
  return 'Expected: status shows it up within about 4 s (hold-down), and pushes are admitted 2 s later. Pull hello: it comes from harbor again.';
}
