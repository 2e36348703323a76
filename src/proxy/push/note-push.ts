import { isCopied } from '../../failover/rewrite.ts';
import { isDigest } from '../../oci/reference.ts';
import type { Hint } from '../../replication/hint.ts';
import type { Exchange, StageNotes } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import type { PushAnswer } from './push.ts';
import type { PushPlan } from './push-plan.ts';

/** Notes an acknowledged write before its client gets the reply: the tag that became current, or was deleted. */
export function notePush(
  exchange: Exchange,
  context: Uses<'coalescer' | 'hints' | 'ledger' | 'manifestCache'>,
  { request, route, attempt }: PushPlan,
  { status, headers }: PushAnswer,
): void {
  if (request.kind !== 'manifest' || status < 200 || status >= 300) return;
  context.coalescer.forget();
  const { upstream, repository } = attempt;
  const { reference } = request;
  const at = context.ledger.now();
  if (request.method === 'PUT') {
    const digest = pushedDigest(headers);
    if (!reference.includes(':') && digest !== undefined)
      context.ledger.recordSeen({ upstream, repository, tag: reference }, digest, at);
  } else if (request.method === 'DELETE') {
    if (reference.includes(':')) {
      context.ledger.recordDigestDeleted(upstream, repository, reference, at);
      context.manifestCache.forget(upstream, repository, reference);
    } else {
      context.ledger.recordDeleted({ upstream, repository, tag: reference }, at);
    }
  }
  if (!isCopied(route)) return;
  const kind = request.method === 'DELETE' ? 'delete' : 'push';
  noteHints(exchange, context, [{ upstream, repository, reference, kind, from: 'edge' }]);
}

/**
 * The digest of a manifest that was accepted. Only its Location is mandatory (distribution-spec "Pushing manifests").
 */
function pushedDigest(headers: PushAnswer['headers']): string | undefined {
  const told = headers.get('docker-content-digest') ?? headers.get('location')?.replace(/^.*\/|\?.*$/g, '');
  return told !== undefined && isDigest(told) ? told : undefined;
}

/** Hands hints on to replication, and notes them for the log line and the metrics of the request that brought them. */
export function noteHints(
  { notes }: { notes: Pick<StageNotes, 'fetch'> },
  { hints: receiver }: Uses<'hints'>,
  hints: readonly Hint[],
): void {
  const [first] = hints;
  if (first === undefined) return;
  receiver?.enqueueHints(hints);
  const pushed = hints.filter(({ kind }) => kind === 'push').length;
  notes.fetch.hints = { from: first.from, push: pushed, delete: hints.length - pushed };
  // A hook is mostly about one image, and an operator searches the log for it.
  notes.fetch.hinted = { repository: first.repository, reference: first.reference };
}
