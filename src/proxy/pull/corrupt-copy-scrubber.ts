import { checkWholeBlob } from '../../digest/digest-check.ts';
import type { Attempt } from '../../failover/plan.ts';
import type { Sink } from '../../splice/chunk-writer.ts';
import { extentOf } from '../../splice/extent.ts';
import { Transfer } from '../../splice/transfer.ts';
import { PrimedBody } from '../../upstream/body/primed-body.ts';
import type { Uses } from '../proxy-context.ts';
import { attemptRead } from './attempt.ts';
import type { AttemptResult, BlobCopy, UpstreamRead } from './attempt-result.ts';

/** Corrupt copies that are remembered. Beyond that number the oldest are forgotten until they are read again. */
const MAX_COPIES = 1000;
/** Milliseconds that one check may take. */
const LIMIT_MS = 600_000;

/**
 * Checks corrupt copies again, one at a time. Without it, a copy that was repaired would never serve again while
 * another upstream has the blob. Upstreams that take only the clients' own credentials are left out.
 */
export class CorruptCopyScrubber {
  /** By upstream and digest. `due` is the time of the next check, in epoch milliseconds. */
  readonly #copies = new Map<string, BlobCopy & { due: number }>();
  #running = false;

  /** Remembers a corrupt copy. @param everyMs milliseconds until it is checked again */
  note(copy: BlobCopy, everyMs: number, now = Date.now()): void {
    const key = `${copy.upstream} ${copy.digest}`;
    if (this.#copies.has(key)) return;
    const [oldest] = this.#copies.keys();
    if (this.#copies.size >= MAX_COPIES && oldest !== undefined) this.#copies.delete(oldest);
    this.#copies.set(key, { ...copy, due: now + everyMs });
  }

  /** Checks one copy that is due. Never rejects. */
  async run(context: Uses<'config' | 'copies' | 'hasher' | 'log' | 'upstreams'>, now = Date.now()): Promise<void> {
    for (const [key, { upstream, digest }] of this.#copies)
      if (!context.copies.isCorrupt(upstream, digest)) this.#copies.delete(key);
    const copy = [...this.#copies.values()].find(({ due }) => due <= now);
    if (this.#running || !copy) return;
    this.#running = true;
    copy.due = now + context.config.verifyAgain;
    try {
      await scrub(context, copy);
    } catch (error) {
      context.log.info({ ...copy, err: error }, 'a corrupt copy of a blob could not be checked again');
    } finally {
      this.#running = false;
    }
  }
}

async function scrub(
  context: Uses<'config' | 'copies' | 'hasher' | 'log' | 'upstreams'>,
  copy: BlobCopy,
): Promise<void> {
  const upstream = context.upstreams.get(copy.upstream);
  const url = upstream?.view().replicas.find(({ state }) => state === 'up')?.url;
  if (!upstream || url === undefined || upstream.config.credentials === 'forward') return;
  const control = new AbortController();
  const timer = setTimeout(() => control.abort(new Error('it took too long')), LIMIT_MS).unref();
  const limit = { ms: upstream.config.deadlines.blob, ignoreCanary: true };
  try {
    const result = await attemptRead(upstream, attemptFor(copy, url), readFor(copy), limit, control);
    const transfer = transferOf(context, copy, url, upstream.config.deadlines.stall, result);
    await transfer?.run(new NullSink(control.signal));
  } finally {
    clearTimeout(timer);
  }
}

function attemptFor({ upstream, repository }: BlobCopy, url: string): Attempt {
  const candidate = { upstream, prefix: '', replicate: false };
  return { upstream, url, repository, candidate, class: 'data', why: 'check of a corrupt copy' };
}

function readFor({ repository, digest }: BlobCopy): UpstreamRead {
  return {
    method: 'GET',
    path: `/v2/${repository}/blobs/${digest}`,
    headers: { 'accept-encoding': 'identity' },
    scopes: [`repository:${repository}:pull`],
    redirects: 'follow',
  };
}

function transferOf(
  { hasher, copies, config, log }: Uses<'config' | 'copies' | 'hasher' | 'log'>,
  { upstream, digest }: BlobCopy,
  url: string,
  stallMs: number,
  result: AttemptResult,
): Transfer | undefined {
  if (!('permit' in result)) return undefined;
  const extent = extentOf(result.answer);
  if (!(result.body instanceof PrimedBody) || !extent || result.answer.status !== 200) {
    if (result.body instanceof PrimedBody) result.body.destroy();
    result.permit.reportEnd('neutral');
    return undefined;
  }
  const leg = { upstream, url, source: result.body, startOffset: 0, endOffset: extent.total, permit: result.permit };
  const check = checkWholeBlob(upstream, digest, {
    hasher,
    copies,
    onFinding: ({ verdict }) => {
      if (verdict === 'right')
        log.info({ upstream, digest }, 'the copy of a blob has the right bytes again, and serves');
    },
  });
  return new Transfer({ leg, extent, check, limits: { stallMs, minRate: 0, rateWindowMs: config.splice.window } });
}

/** Takes all bytes and keeps none. */
class NullSink implements Sink {
  readonly closed: AbortSignal;
  onDrain: () => void = () => undefined;

  constructor(closed: AbortSignal) {
    this.closed = closed;
  }

  write(_bytes: Buffer, done: () => void): boolean {
    done();
    return true;
  }
}
