import type { Mode } from './primary.ts';
import type { Cell, State } from './table-run.ts';

/** What every client should get in one state of one mode. */
export function expectedCell({ decides, everyUserMay = false }: Mode, state: State): Cell {
  if (state === 'healthy')
    return { pull: 'primary', other: everyUserMay ? 'primary' : 'refused', push: 'pushed', wrong: 'refused' };
  // The fallback asks clients for nothing, and there is nobody to say who they are.
  if (decides === 'nobody') return { pull: 'fallback', other: 'fallback', push: 'told', wrong: 'fallback' };
  if (decides === 'edge') return { pull: 'fallback', other: 'refused', push: 'told', wrong: 'refused' };
  // What was granted is remembered; of all else nobody knows, and a password that may be right is not called wrong.
  return { pull: 'fallback', other: everyUserMay ? 'fallback' : 'later', push: 'told', wrong: 'later' };
}
