import { z } from 'zod';
import type { Attempt } from '../../failover/plan.ts';
import { type ErrorCode, OciError } from '../../oci/error.ts';
import { parseJson } from '../../upstream/body/read-body.ts';

/**
 * An upstream's error in the client's names. Registries put the repository into messages and details, some with their
 * host before it.
 * @param repository the client's name for `attempt.repository`
 */
export function errorInClientNames(
  body: Buffer,
  attempt: Pick<Attempt, 'repository' | 'url'>,
  repository: string,
): Buffer {
  const { repository: inner, url } = attempt;
  if (inner === '' || inner === repository) return body;
  const host = literal(new URL(url).host);
  // Only the whole name is replaced, not a part of a longer name or of a path.
  const name = new RegExp(`(?:${host}/|(?<![\\w./-]))${literal(inner)}(?![\\w/-]|\\.\\w)`, 'g');
  return Buffer.from(body.toString('utf8').replace(name, repository));
}

const REFUSALS: Record<number, ErrorCode> = {
  401: 'UNAUTHORIZED',
  403: 'DENIED',
  405: 'UNSUPPORTED',
  416: 'RANGE_INVALID',
};

/** The body of a refusal whose own did not arrive, or is empty. Clients report an empty body as an error of its own. */
export function ownRefusal(status: number, message: string): Buffer {
  return Buffer.from(new OciError(REFUSALS[status] ?? 'UNKNOWN', message).body());
}

const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;
const MAX_MESSAGE = 512;

const errorSchema = z.object({
  errors: z.array(z.object({ code: z.string().regex(CODE), message: z.string().optional().catch(undefined) })).min(1),
});

/**
 * Code and message of an upstream's first error, printable and bounded, and nothing else of it.
 * @param message used where the body is none of the registry API, or did not arrive
 */
export function briefError(body: Buffer | undefined, message: string): Buffer {
  const [first] = errorSchema.safeParse(body && parseJson(body)).data?.errors ?? [];
  const text = first?.message?.replace(/[^\x21-\x7e]+/g, ' ').slice(0, MAX_MESSAGE);
  return Buffer.from(JSON.stringify({ errors: [{ code: first?.code ?? 'UNKNOWN', message: text || message }] }));
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
