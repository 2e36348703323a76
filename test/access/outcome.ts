import type { Finished } from '../helpers/command.ts';
import type { Seen } from './traffic.ts';

/**
 * What became of something that a client did: an image came from the primary or from the fallback, an image was pushed, it was refused
 * (401, 403), or so that the client was told that and why nobody may push now, or nobody could say whether it is allowed (503).
 */
export type Outcome = 'primary' | 'fallback' | 'pushed' | 'refused' | 'told' | 'later' | 'unclear';

/** @param push whether something was to be pushed */
export function outcomeOf({ status }: Finished, seen: readonly Seen[], push: boolean): Outcome {
  if (status !== 0) return whyNot(seen);
  if (push) return 'pushed';
  // Blobs only: a manifest by digest may come out of the edge's memory, whoever it was read from.
  const blobs = seen.filter(({ kind, status }) => kind === 'blob' && status < 300);
  const from = new Set(blobs.map(({ upstream }) => upstream));
  if (from.size !== 1) return 'unclear';
  return from.has('primary') ? 'primary' : 'fallback';
}

function whyNot(seen: readonly Seen[]): Outcome {
  if (seen.some(({ status, detail }) => status === 403 && detail?.startsWith('pushes are refused'))) return 'told';
  const statuses = new Set(seen.map(({ status }) => status));
  if (statuses.has(503)) return 'later';
  return statuses.has(401) || statuses.has(403) ? 'refused' : 'unclear';
}
