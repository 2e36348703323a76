import { OciError } from '../../oci/error.ts';
import { renameScopes } from '../../oci/scope.ts';
import { parseJson, readBody } from '../../upstream/body/read-body.ts';
import type { Answer } from '../../upstream/client.ts';
import type { Connection } from '../../upstream/connection.ts';
import { asUpstreamError } from '../../upstream/upstream-error.ts';
import { readFormBody } from '../body.ts';
import { ClientGone, type Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { translateChallenges } from '../reply/challenge.ts';
import { ownRefusal } from '../reply/error-body.ts';
import type { Reply } from '../reply/reply.ts';
import { nameForClient, nameOnUpstream } from '../request/repository-names.ts';
import type { Sealed } from '../request/sealer.ts';

type Realm = Extract<Sealed, { kind: 'realm' }>;

const MAX_TOKEN = 262_144;

/**
 * The token service of an upstream under the edge's name: the relayed challenge has a realm that leads here. The
 * client's credentials go to that service and nowhere else. Scopes are translated between the client's names and the
 * upstream's.
 */
export async function fetchToken(
  exchange: Exchange,
  context: ChallengeContext & Uses<'names' | 'shown' | 'upstreams'>,
  sealedRealm: string,
  query: URLSearchParams,
): Promise<Reply> {
  const sealed = await context.sealer.open(sealedRealm, 'realm');
  const upstream = sealed && context.upstreams.get(sealed.upstream);
  const connection = sealed && upstream?.connection(sealed.url);
  // The upstream may have taken the clients' credentials when its challenge was relayed, and not take them any more.
  if (!sealed || !connection || upstream?.config.credentials !== 'forward')
    throw new OciError('UNAUTHORIZED', 'no such token service; ask /v2/ again', { status: 404 });
  if (!['GET', 'POST'].includes(exchange.method))
    throw new OciError('UNSUPPORTED', undefined, { headers: { allow: 'GET, POST' } });
  const { registry } = sealed;
  exchange.registry = registry;
  const rename = (scopes: string) =>
    renameScopes(scopes, (name) => nameOnUpstream(context, registry, sealed.upstream, name));
  const realm = realmFor(context, sealed, connection);
  for (const [name, value] of renamed(query, rename)) realm.searchParams.append(name, value);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (exchange.headers.authorization !== undefined) headers.authorization = exchange.headers.authorization;
  const form = exchange.method === 'POST' ? renamed(await readFormBody(exchange), rename) : undefined;
  if (form !== undefined) headers['content-type'] = 'application/x-www-form-urlencoded';
  const deadline = AbortSignal.timeout(upstream.config.deadlines.manifest);
  const signal = AbortSignal.any([exchange.gone, deadline]);
  try {
    const call = { method: exchange.method, headers, signal, ...(form === undefined ? {} : { body: form.toString() }) };
    const login = loginOf(exchange, form ?? query);
    return await replyOf(exchange, context, sealed, login, await connection.sendElsewhere(realm, call));
  } catch (error) {
    if (exchange.gone.aborted) throw new ClientGone();
    const reason = deadline.aborted ? 'first-byte' : asUpstreamError(error).reason;
    throw new OciError('UNAVAILABLE', `the token service of ${sealed.upstream} does not answer (${reason})`);
  }
}

/** Parameters that say nothing about who asks. */
const OF_NOBODY = new Set(['service', 'scope', 'client_id', 'offline_token', 'account']);

/** All by which a token service may know the user; undefined: nothing. */
function loginOf({ headers: { authorization } }: Exchange, parameters: URLSearchParams): string | undefined {
  const told = [...parameters].filter(([name]) => !OF_NOBODY.has(name)).sort();
  return authorization === undefined && told.length === 0 ? undefined : JSON.stringify([authorization, told]);
}

async function replyOf(
  exchange: Exchange,
  context: ChallengeContext & Uses<'shown'>,
  sealed: Realm,
  login: string | undefined,
  answer: Answer,
): Promise<Reply> {
  const { upstream, registry } = sealed;
  const told = await readBody(answer.body, MAX_TOKEN);
  if (answer.status === 200)
    for (const token of tokensIn(told)) context.shown.noteToken(token, login, exchange.requester);
  // Harbor's token service refuses a login without a word.
  const isMute = told.length === 0 && answer.status >= 400;
  const rename = (scopes: string) => renameScopes(scopes, (name) => nameForClient(context, registry, upstream, name));
  const body = isMute ? ownRefusal(answer.status, refusalText(upstream, answer.status)) : granted(told, rename);
  const headers: [string, string][] = [
    ['content-length', String(body.length)],
    ['cache-control', 'no-store'],
    ['x-breakwater-upstream', upstream],
  ];
  for (const name of ['content-type', 'retry-after']) {
    const value = isMute && name === 'content-type' ? 'application/json' : answer.headers.get(name);
    if (value !== undefined) headers.push([name, value]);
  }
  headers.push(...(await translateChallenges(exchange, context, sealed, answer)));
  return { status: answer.status, headers, body, upstream };
}

function tokensIn(body: Buffer): string[] {
  const grant = parseJson(body);
  if (typeof grant !== 'object' || grant === null) return [];
  return [...new Set(['token', 'access_token'].flatMap((name) => (grant as Record<string, unknown>)[name] ?? []))].map(
    String,
  );
}

function refusalText(upstream: string, status: number): string {
  return status === 401 ? `${upstream} refuses this login` : `the token service of ${upstream} answered ${status}`;
}

/** A token reply whose scope, if it names one as OAuth does, is in the client's names. An error page stays as it is. */
function granted(body: Buffer, rename: (scopes: string) => string): Buffer {
  const grant = parseJson(body);
  if (typeof grant !== 'object' || grant === null || !('scope' in grant) || typeof grant.scope !== 'string')
    return body;
  return Buffer.from(JSON.stringify({ ...grant, scope: rename(grant.scope) }));
}

/**
 * A registry that knows the edge's name may call itself by it. Its token service is still at the registry's own
 * address.
 */
function realmFor(context: Uses<'names'>, { upstream, realm }: Realm, connection: Connection): URL {
  const url = URL.parse(realm);
  if (!url || !/^https?:$/.test(url.protocol))
    throw new OciError('UNAVAILABLE', 'the challenge names no usable token service');
  const own = connection.url;
  if (context.names.has(url.hostname) && url.host !== own.host) return new URL(url.pathname + url.search, own);
  if (url.protocol !== 'https:' && own.protocol === 'https:')
    throw new OciError('UNAVAILABLE', 'the token service is not https');
  if (!connection.mayGetCredentials(url))
    throw new OciError(
      'UNAVAILABLE',
      `the token service of ${upstream} is on a host that upstreams.${upstream}.realmHosts does not name`,
    );
  return url;
}

function renamed(parameters: URLSearchParams, rename: (scopes: string) => string): URLSearchParams {
  const result = new URLSearchParams();
  for (const [name, value] of parameters) {
    const renamedValue = name === 'scope' ? rename(value) : value;
    if (name !== 'scope' || renamedValue !== '') result.append(name, renamedValue);
  }
  return result;
}
