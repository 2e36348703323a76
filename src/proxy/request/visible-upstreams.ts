import { OciError } from '../../oci/error.ts';
import type { Exchange } from '../exchange.ts';
import type { ProxyContext } from '../proxy-context.ts';
import { edgeChallenge } from './edge-challenge.ts';

const RETRY_AFTER_SECONDS = 5;

/**
 * The upstream that decides in `auth.mode: delegate`, where the client has nothing to show there: its token was made while that upstream
 * could not be asked, or it comes from a network that needs none. Nothing there would open to it; undefined otherwise.
 */
function closedTo({ clientAuthorization }: Exchange, { access }: ProxyContext): string | undefined {
  return clientAuthorization === undefined ? access?.authority : undefined;
}

/** Whether an upstream may be asked for this client: nothing is asked for in vain where it decides, and nothing elsewhere that it may hide. */
export function isOpenTo(exchange: Exchange, context: ProxyContext, upstream: string): boolean {
  if (exchange.confined && upstream !== context.access?.authority) return false;
  return upstream !== closedTo(exchange, context);
}

/**
 * The reply to who was shown nothing of the upstream that decides, and was found nothing at the others. If that upstream can be asked
 * again, another token may open it. If not, it may well have what the others have not: no 404 (rule 4), but to who looks before a
 * push, so that the push itself is refused, with the reason.
 * @param error of a pull
 */
export function reconsidered(exchange: Exchange, context: ProxyContext, error: unknown): unknown {
  const { access } = context;
  const closed = closedTo(exchange, context);
  const authority = context.upstreams.get(closed ?? '');
  if (!access || !authority) return error;
  if (!(error instanceof OciError) || (error.status !== 404 && error.status !== 503)) return error;
  if (authority.users.silent) {
    if (exchange.unasked && exchange.method === 'HEAD')
      return new OciError(exchange.notes.kind === 'blob' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN');
    if (error.status === 503) return error;
    const message = `${closed} cannot be asked now, and the others do not have it; try again`;
    return new OciError('UNAVAILABLE', message, { retryAfter: RETRY_AFTER_SECONDS });
  }
  const why = exchange.headers.authorization === undefined ? 'no-token' : 'invalid_token';
  return new OciError('UNAUTHORIZED', undefined, {
    headers: { 'www-authenticate': edgeChallenge(exchange, access, '', why) },
  });
}
