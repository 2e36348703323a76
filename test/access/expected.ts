import type { Mode } from './primary.ts';
import type { Cell, State } from './table-run.ts';

/** What a client should get in one state of one mode. */
export function expectedCell({ decides, everyUserMay = false }: Mode, state: State, client: string): Cell {
  if (state === 'healthy')
    return { pull: 'primary', other: everyUserMay ? 'primary' : 'refused', push: 'pushed', wrong: 'refused' };
  // The fallback asks clients for nothing, and there is nobody to say who they are.
  if (decides === 'nobody') {
    // crane asks for the tag before it pushes it, as one who pulls would; what the primary may have is not called absent.
    const push = client === 'crane' ? 'later' : 'told';
    return { pull: 'fallback', other: 'fallback', push, wrong: 'fallback' };
  }
  if (decides === 'edge') return { pull: 'fallback', other: 'refused', push: 'told', wrong: 'refused' };
  // What was granted is remembered; of all else nobody knows, and a password that may be right is not called wrong.
  return { pull: 'fallback', other: everyUserMay ? 'fallback' : 'later', push: 'told', wrong: 'later' };
}
