import { OciError } from '../oci/error.ts';
import type { Edge } from './edge.ts';
import type { Exchange } from './exchange.ts';
import { ownChallenge } from './own-challenge.ts';

/**
 * The upstream that decides in `auth.mode: delegate`, where the client has nothing to show there: its token was made while that upstream
 * could not be asked, or it comes from a network that needs none. Nothing there would open to it; undefined otherwise.
 */
export function closedTo({ clientAuthorization }: Exchange, { access }: Edge): string | undefined {
  return clientAuthorization === undefined ? access?.authority : undefined;
}

/** Sends who was found nothing at the others for another token, once the authority can be asked again. @param error of a pull */
export function reconsidered(exchange: Exchange, edge: Edge, error: unknown): unknown {
  const { access } = edge;
  const closed = closedTo(exchange, edge);
  if (!access || closed === undefined || edge.upstreams.get(closed)?.view().state === 'down') return error;
  if (!(error instanceof OciError) || (error.status !== 404 && error.status !== 503)) return error;
  const why = exchange.headers.authorization === undefined ? 'no-token' : 'invalid_token';
  return new OciError('UNAUTHORIZED', undefined, {
    headers: { 'www-authenticate': ownChallenge(exchange, access, '', why) },
  });
}
