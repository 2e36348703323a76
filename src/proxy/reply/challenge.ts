import { type Challenge, formatChallenge, parseChallenges } from '../../oci/challenge.ts';
import { renameScopes } from '../../oci/scope.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { authorityOf, edgeChallenge } from '../request/edge-challenge.ts';
import { TOKEN_PATH } from '../request/paths.ts';
import { nameForClient } from '../request/repository-names.ts';
import type { Origin } from '../request/sealer.ts';

/**
 * The challenge that a client gets for an upstream's challenge: the token service under the edge's name, the scopes
 * in the client's names.
 * @returns one header field for each challenge
 */
export async function translateChallenges(
  exchange: Exchange,
  context: ChallengeContext,
  registry: string | undefined,
  origin: Origin,
  header: string | undefined,
): Promise<[string, string][]> {
  // Clients cannot reach the upstream's token service in this mode. The token that is not good any more is one of the
  // edge's.
  if (context.access) return [['www-authenticate', edgeChallenge(exchange, context.access, '', 'invalid_token')]];
  const fields: [string, string][] = [];
  for (const challenge of parseChallenges(header)) {
    const translated =
      challenge.scheme === 'bearer' ? await translateBearer(exchange, context, registry, origin, challenge) : challenge;
    fields.push(['www-authenticate', formatChallenge(translated)]);
  }
  return fields;
}

async function translateBearer(
  exchange: Exchange,
  context: Uses<'routes' | 'sealer'>,
  registry: string | undefined,
  { upstream, url }: Origin,
  challenge: Challenge,
): Promise<Challenge> {
  const { realm = '', scope, ...others } = challenge.parameters;
  const sealed = await context.sealer.seal({
    kind: 'realm',
    upstream,
    url,
    realm,
    ...(registry === undefined ? {} : { registry }),
  });
  const parameters: Record<string, string> = {
    realm: `https://${authorityOf(exchange)}${TOKEN_PATH}${sealed}`,
    ...others,
  };
  const renamed = renameScopes(scope ?? '', (name) => nameForClient(context, registry, upstream, name));
  if (renamed !== '') parameters.scope = renamed;
  return { scheme: challenge.scheme, parameters };
}
