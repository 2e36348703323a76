import type { Permit } from '../../auth/guard.ts';
import { formatChallenge } from '../../oci/challenge.ts';
import type { Exchange } from '../exchange.ts';
import type { Access } from './access.ts';
import { OWN_TOKEN_PATH } from './paths.ts';

export type Refused = Extract<Permit, { refused: unknown }>['refused'];

/** The challenge that sends a client to the edge's own token service. @param scope empty: the challenge names none */
export function edgeChallenge(exchange: Exchange, { service }: Access, scope: string, why: Refused): string {
  return formatChallenge({
    scheme: 'bearer',
    parameters: {
      realm: `${exchange.ownUrl}${OWN_TOKEN_PATH}`,
      service,
      ...(scope === '' ? {} : { scope }),
      ...(why === 'no-token' ? {} : { error: why }),
    },
  });
}
