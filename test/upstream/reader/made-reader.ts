import type { Test } from 'tap';
import { BufferPool } from '../../../src/upstream/reader/buffer-pool.ts';
import { Reader, type ReaderAnswer, type ReaderOptions } from '../../../src/upstream/reader/reader.ts';
import { Resolver } from '../../../src/upstream/resolver.ts';
import { UpstreamError } from '../../../src/upstream/upstream-error.ts';

export interface MadeReader {
  reader: Reader;
  pool: BufferPool;
  /** Asks for a path; with a signal that is never aborted unless another is given. */
  get(path?: string, signal?: AbortSignal): Promise<Exclude<ReaderAnswer, 'unreadable'>>;
}

export function madeReader(t: Test, url: string, given: Partial<ReaderOptions> = {}): MadeReader {
  const pool = given.pool ?? new BufferPool();
  const options = { ca: undefined, connectMs: 10_000, connections: 64, resolver: new Resolver(), pool };
  const reader = new Reader(new URL(url), { ...options, ...given });
  t.teardown(() => reader.destroy());
  const get = async (path = '/x', signal = new AbortController().signal) => {
    const answer = await reader.get({ path, headers: {}, signal });
    if (answer === 'unreadable') throw new Error('the answer is unreadable');
    return answer;
  };
  return { reader, pool, get };
}

/** Why there is no answer; `none`: there is one. */
export async function reasonOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return error instanceof UpstreamError ? error.reason : String(error);
  }
}
