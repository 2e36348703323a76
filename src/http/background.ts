import { bounded } from './boundary.ts';

/** What an edge does by itself, as the log and the metrics name it. */
export const BACKGROUND_TASKS = [
  'breaker',
  'canary',
  'certificate',
  'clients',
  'comparison',
  'content',
  'copy',
  'credentials',
  'descriptors',
  'drain',
  'files',
  'hash',
  'ledger',
  'names',
  'peer',
  'probe',
  'replication',
  'scrub',
  'tag-look',
] as const;
export type BackgroundTask = (typeof BACKGROUND_TASKS)[number];

/** Hears of each exception of background work. */
type OnError = (task: BackgroundTask, error: unknown) => void;

const listeners = new Set<OnError>();

/** Tells of all exceptions of background work in this process. @returns ends that */
export function onBackgroundError(listener: OnError): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Puts the boundary of rule 12 around work that serves no exchange: timers, loops, and callbacks of the edge's own. An
 * exception ends this run of the work and nothing else; whoever runs it again goes on as before.
 * @param end releases what the run holds
 * @returns never throws, and resolves when the run is over
 */
export function inBackground<Args extends unknown[]>(
  task: BackgroundTask,
  work: (...args: Args) => unknown,
  end?: (...args: Args) => void,
): (...args: Args) => Promise<void> {
  const run = bounded(work, { ...(end ? { end } : {}), onError: (error) => report(task, error) });
  return async (...args) => {
    try {
      await run(...args);
    } catch {
      // The boundary has reported it.
    }
  };
}

function report(task: BackgroundTask, error: unknown): void {
  // Without an edge there is no log: the error escapes, and ends the process.
  if (listeners.size === 0)
    queueMicrotask(() => {
      throw error;
    });
  for (const listener of listeners) listener(task, error);
}
