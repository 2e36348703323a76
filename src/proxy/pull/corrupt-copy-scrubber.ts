import { monotonicNow } from '../../clock/clock.ts';
import { checkWholeBlob, type DigestCheck, type DigestFinding } from '../../digest/digest-check.ts';
import { EDGE } from '../../failover/failure-evidence.ts';
import type { Attempt } from '../../failover/plan.ts';
import type { Sink } from '../../splice/chunk-writer.ts';
import { extentOf } from '../../splice/extent.ts';
import { Transfer } from '../../splice/transfer.ts';
import { PrimedBody } from '../../upstream/body/primed-body.ts';
import type { Uses } from '../proxy-context.ts';
import { attemptRead } from './attempt.ts';
import { type BlobCopy, discardAnswer, type UpstreamRead } from './attempt-result.ts';
import { legOf } from './resume-elsewhere.ts';

/** Corrupt copies that are remembered. Beyond that number the oldest are forgotten until they are read again. */
const MAX_COPIES = 1000;
/** Milliseconds that one check may take. */
const LIMIT_MS = 600_000;

/**
 * Checks corrupt copies again, one at a time. Without it, a copy that was repaired would never serve again while
 * another upstream has the blob. Upstreams that take only the clients' own credentials are left out.
 */
export class CorruptCopyScrubber {
  /** By upstream and digest. `due` is the time of the next check, in monotonic milliseconds. */
  readonly #copies = new Map<string, BlobCopy & { due: number }>();
  #running = false;

  /** Remembers a corrupt copy. @param everyMs milliseconds until it is checked again */
  note(copy: BlobCopy, everyMs: number, now = monotonicNow()): void {
    const key = `${copy.upstream} ${copy.digest}`;
    if (this.#copies.has(key)) return;
    const [oldest] = this.#copies.keys();
    if (this.#copies.size >= MAX_COPIES && oldest !== undefined) this.#copies.delete(oldest);
    this.#copies.set(key, { ...copy, due: now + everyMs });
  }

  /** Checks one copy that is due. Never rejects. */
  async run(context: Uses<'config' | 'copies' | 'hasher' | 'log' | 'upstreams'>, now = monotonicNow()): Promise<void> {
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
  const { blob: ms, stall: stallMs } = upstream.config.deadlines;
  const attempt = attemptFor(copy, url);
  try {
    const result = await attemptRead(upstream, attempt, readFor(copy), { ms, ignoreCanary: true }, control);
    const extent = 'permit' in result && result.answer.status === 200 ? extentOf(result.answer) : undefined;
    if (!('permit' in result) || !(result.body instanceof PrimedBody) || !extent) return discardAnswer(result);
    const leg = legOf(context, { ...result, attempt }, result.body);
    const limits = { stallMs, minRate: 0, rateWindowMs: context.config.splice.window };
    await new Transfer({ leg, extent, check: checkOf(context, copy), limits }).run(nullSink(control.signal));
  } finally {
    clearTimeout(timer);
  }
}

function attemptFor({ upstream, repository }: BlobCopy, url: string): Attempt {
  const candidate = { upstream, prefix: '', replicate: false };
  return { upstream, url, repository, client: EDGE, candidate, class: 'data', why: 'check of a corrupt copy' };
}

function readFor({ repository, digest }: BlobCopy): UpstreamRead {
  return {
    method: 'GET',
    content: 'blob',
    path: `/v2/${repository}/blobs/${digest}`,
    headers: { 'accept-encoding': 'identity' },
    scopes: [`repository:${repository}:pull`],
    redirects: 'follow',
  };
}

function checkOf(
  { hasher, copies, log }: Uses<'copies' | 'hasher' | 'log'>,
  { upstream, digest }: BlobCopy,
): DigestCheck {
  const onFinding = ({ verdict }: DigestFinding) => {
    if (verdict === 'right') log.info({ upstream, digest }, 'the copy of a blob has the right bytes again, and serves');
  };
  return checkWholeBlob(upstream, digest, { hasher, copies, onFinding });
}

/** Takes all bytes and keeps none. */
function nullSink(closed: AbortSignal): Sink {
  const write = (_bytes: Buffer, done: () => void) => {
    done();
    return true;
  };
  return { closed, onDrain: () => undefined, write };
}
