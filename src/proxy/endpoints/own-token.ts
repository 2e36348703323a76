import type { TokenGrant } from '../../auth/token-issuer.ts';
import { parseTokenForm, parseTokenQuery } from '../../auth/token-request.ts';
import { OciError } from '../../oci/error.ts';
import { readFormBody } from '../body.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { jsonReply, type Reply } from '../reply/reply.ts';
import type { Access } from '../request/access.ts';
import { logIn } from '../request/login.ts';

/** The edge's own token service, GET and POST (Docker registry token protocol). @throws OciError */
export async function fetchOwnToken(
  exchange: Exchange,
  { access }: Uses<'access'>,
  query: URLSearchParams,
): Promise<Reply> {
  if (!access) throw new OciError('NAME_UNKNOWN', 'this registry issues no tokens, because auth.mode is open');
  if (exchange.method !== 'GET' && exchange.method !== 'POST')
    throw new OciError('UNSUPPORTED', undefined, { headers: { allow: 'GET, POST' } });
  const request =
    exchange.method === 'GET'
      ? parseTokenQuery(query, exchange.headers.authorization)
      : parseTokenForm(await readFormBody(exchange));
  if ('malformed' in request) {
    if (request.malformed === 'credentials') throw wrong(exchange, access);
    throw new OciError('UNSUPPORTED', `the token request has no readable ${request.malformed}`, { status: 400 });
  }
  const { service } = request;
  if (service !== undefined && service !== access.service)
    throw new OciError('UNSUPPORTED', 'the token request names the service of another registry', { status: 400 });
  const grant = await logIn(exchange, access, request);
  if ('wrong' in grant) throw wrong(exchange, access, grant.wrong);
  if (grant.user !== undefined) exchange.notes.authorize.user = grant.user;
  return jsonReply(200, contentOf(exchange, grant), [['cache-control', 'no-store']]);
}

function contentOf({ method }: Exchange, { token, refreshToken, expiresIn, issued, scope }: TokenGrant): object {
  return {
    token,
    access_token: token,
    expires_in: expiresIn,
    issued_at: new Date(issued).toISOString(),
    // JSON leaves out what is undefined.
    refresh_token: refreshToken,
    scope: method === 'POST' ? scope : undefined,
  };
}

/** @param why they are of no use, if they are not simply wrong */
function wrong(exchange: Exchange, { service }: Access, why = 'wrong user name or password'): OciError {
  const given = exchange.headers.authorization !== undefined || exchange.method === 'POST';
  return new OciError('UNAUTHORIZED', given ? why : undefined, {
    headers: { 'www-authenticate': `Basic realm="${service}"` },
  });
}
