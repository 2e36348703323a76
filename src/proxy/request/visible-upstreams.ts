import type { Visibility } from '../../failover/plan.ts';
import { NoReferrersApi, OciError } from '../../oci/error.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import type { Access } from './access.ts';
import { edgeChallenge } from './edge-challenge.ts';

/**
 * The upstreams that a client may be shown where the edge checks who clients are. The authority of `auth.mode: delegate` is not asked
 * without credentials for it: the client's token was made while the authority was unreachable, or its network needs no login. Where the
 * authority may be hiding the repository, no other upstream is asked.
 */
export function visibleUpstreams(
  { permit, clientAuthorization }: Pick<Exchange, 'permit' | 'clientAuthorization'>,
  { authority }: Pick<Access, 'authority'>,
): Visibility {
  return {
    ...(permit.authorityOnly && authority !== undefined ? { only: authority } : {}),
    ...(clientAuthorization === undefined && authority !== undefined ? { except: authority } : {}),
  };
}

/**
 * The reply to a client to which the authority was not visible, and for which no other upstream had the content. If the authority can be
 * reached now, another token may open it. If not, the authority may have what the others lack: there is no 404 then (rule 4), but for a
 * HEAD before a push, so that the push itself is refused with the reason.
 * @param error of a pull
 */
export function hideAbsence(
  exchange: Exchange,
  { access, upstreams }: Uses<'access' | 'upstreams'>,
  error: unknown,
): unknown {
  const hidden = exchange.visible.except;
  const authority = upstreams.get(hidden ?? '');
  if (!access || !authority || error instanceof NoReferrersApi) return error;
  if (!(error instanceof OciError) || (error.status !== 404 && error.status !== 503)) return error;
  if (authority.userAuthority.unavailable) {
    if (exchange.permit.authorityUnreachable && exchange.method === 'HEAD')
      return new OciError(exchange.notes.parse.kind === 'blob' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN');
    if (error.status === 503) return error;
    const message = `${hidden} cannot be reached now, and no other upstream has the content; try again`;
    return new OciError('UNAVAILABLE', message);
  }
  const why = exchange.headers.authorization === undefined ? 'no-token' : 'invalid_token';
  return new OciError('UNAUTHORIZED', undefined, {
    headers: { 'www-authenticate': edgeChallenge(exchange, access, '', why) },
  });
}
