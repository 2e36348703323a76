import { type Challenge, formatChallenge, parseChallenges } from '../../oci/challenge.ts';
import { renameScopes } from '../../oci/scope.ts';
import type { Answer } from '../../upstream/client.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { edgeChallenge } from '../request/edge-challenge.ts';
import { TOKEN_PATH } from '../request/paths.ts';
import { nameForClient } from '../request/repository-names.ts';
import type { Origin } from '../request/sealer.ts';

/**
 * The challenge that a client gets for an upstream's challenge: the token service under the edge's name, the scopes
 * in the client's names.
 * @returns one header field for each challenge. None if the answer is no 401
 */
export async function translateChallenges(
  exchange: Exchange,
  context: ChallengeContext,
  origin: Origin,
  { status, headers }: Pick<Answer, 'status' | 'headers'>,
): Promise<[string, string][]> {
  if (status !== 401) return [];
  // Clients cannot reach the upstream's token service in this mode. The token that is not good any more is one of the
  // edge's.
  if (context.access) return [['www-authenticate', edgeChallenge(exchange, context.access, '', 'invalid_token')]];
  const fields: [string, string][] = [];
  for (const challenge of parseChallenges(headers.joined('www-authenticate'))) {
    const isBearer = challenge.scheme === 'bearer';
    const translated = isBearer ? await translateBearer(exchange, context, origin, challenge) : challenge;
    fields.push(['www-authenticate', formatChallenge(translated)]);
  }
  return fields;
}

async function translateBearer(
  { ownUrl, registry }: Exchange,
  context: Uses<'routes' | 'sealer'>,
  { upstream, url }: Origin,
  challenge: Challenge,
): Promise<Challenge> {
  const { realm = '', scope, ...others } = challenge.parameters;
  const sealed = await context.sealer.seal({ kind: 'realm', upstream, url, realm, registry });
  const parameters: Record<string, string> = { realm: `${ownUrl}${TOKEN_PATH}${sealed}`, ...others };
  const renamed = renameScopes(scope ?? '', (name) => nameForClient(context, registry, upstream, name));
  if (renamed !== '') parameters.scope = renamed;
  return { scheme: challenge.scheme, parameters };
}
