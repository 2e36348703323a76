import { isCopied, type Route, toClient } from '../../failover/rewrite.ts';
import { OciError } from '../../oci/error.ts';
import type { Hint } from '../../replication/hint.ts';
import { readBody } from '../body.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { noteDeletion, noteHints } from '../push/note-push.ts';
import { jsonReply, type Reply } from '../reply/reply.ts';
import type { HookSender } from '../request/paths.ts';

const MAX_BODY = 1_048_576;
const TYPES: Record<HookSender, RegExp> = {
  harbor: /^application\/(json|cloudevents\+json)$/i,
  distribution: /^application\/(json|vnd\.docker\.distribution\.events\.v[12]\+json)$/i,
};

/** Takes a hook and answers before anything is done about it: Harbor gives it three seconds. @throws OciError; ClientGone */
export async function fetchHook(
  exchange: Exchange,
  context: Uses<'coalescer' | 'hints' | 'hooks' | 'ledger' | 'looks' | 'manifestCache' | 'routes' | 'upstreams'>,
  sender: HookSender,
): Promise<Reply> {
  const { hooks } = context;
  if (!hooks) throw new OciError('NAME_UNKNOWN', 'hooks are refused: replication.hookSecretFile is not set');
  if (exchange.method !== 'POST') throw new OciError('UNSUPPORTED', undefined, { headers: { allow: 'POST' } });
  hooks.gate.admit(exchange.headers.authorization, exchange.client);
  const type = exchange.headers['content-type']?.replace(/\s*;.*$/s, '');
  if (type === undefined || !TYPES[sender].test(type))
    throw new OciError('UNSUPPORTED', `not a content type that ${sender} sends`, { status: 415 });
  const text = await readBody(exchange, MAX_BODY, 'a hook');
  const told = hooks.readers[sender](text).flatMap((hint) => [...deletedManifests(context, hint), hint]);
  for (const hint of told.filter(({ kind }) => kind === 'delete')) noteDeletedByHook(context, hint);
  const hints = hintTargets(context.routes, told);
  noteHints(exchange, context, hints);
  return jsonReply(202, { hints: hints.length });
}

/**
 * The manifest that was deleted with a tag, where the ledger knows its digest: its other tags are gone, too. A tag that was moved meanwhile
 * keeps its new manifest, because the source is asked before anything is deleted.
 */
function deletedManifests({ ledger, routes }: Uses<'ledger' | 'routes'>, hint: Hint): Hint[] {
  if (!hint.withManifest) return [];
  const { repository, reference: tag } = hint;
  const upstreams = new Set(routes.flatMap(({ push }) => push?.upstream ?? []));
  const digests = [...upstreams].flatMap((upstream) => ledger.find({ upstream, repository, tag })?.[0]?.digest ?? []);
  return [...new Set(digests)].map((digest) => ({ repository, reference: digest, kind: 'delete', from: hint.from }));
}

/**
 * Notes a deletion past the edge. Hooks may come late: where the reference was pushed again meanwhile, the edge's own look corrects the
 * note at once.
 */
function noteDeletedByHook(
  context: Uses<'coalescer' | 'ledger' | 'looks' | 'manifestCache' | 'routes' | 'upstreams'>,
  { repository, reference }: Hint,
): void {
  for (const route of context.routes) {
    const { push } = route;
    const name = push && toClient(context.routes, route, push, repository);
    if (!push || name === undefined) continue;
    for (const gone of noteDeletion(context, route, name, push.upstream, reference))
      context.looks.noteSoon(context, gone, true);
  }
}

/**
 * The upstreams that a hook's hints are about. A hook does not name its upstream: each push upstream whose repository
 * is replicated gets the hint. Hints about other repositories are dropped.
 */
export function hintTargets(routes: readonly Route[], hints: readonly Hint[]): Hint[] {
  return hints.flatMap((hint) => {
    const upstreams = routes.flatMap((route) => {
      const { push } = route;
      if (!push || !isCopied(route) || toClient(routes, route, push, hint.repository) === undefined) return [];
      return push.upstream;
    });
    return [...new Set(upstreams)].map((upstream) => ({ ...hint, upstream }));
  });
}
