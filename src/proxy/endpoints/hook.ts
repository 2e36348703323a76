import { OciError } from '../../oci/error.ts';
import { readBody } from '../body.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { hintTargets, noteHints } from '../push/note-hints.ts';
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
  context: Uses<'hooks' | 'hints' | 'routes'>,
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
  const hints = hintTargets(context.routes, hooks.readers[sender](text));
  noteHints(exchange, context, hints);
  return jsonReply(202, { hints: hints.length });
}
