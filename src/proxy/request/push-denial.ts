import type { Permit, Requirement } from '../../auth/guard.ts';
import { readClocks } from '../../clock/clock.ts';
import { pushRefusal } from '../../failover/plan.ts';
import { OciError } from '../../oci/error.ts';
import { asUpstreamError } from '../../upstream/upstream-error.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import type { Access } from './access.ts';

type Refusal = Extract<Permit, { refused: unknown }>;

/**
 * The refusal of a push whose token is too narrow only because the authority was unreachable when the token was made.
 * After a challenge, its client would send the same token again and show no reason.
 * @returns undefined if another token could help
 */
export async function unverifiedPushDenial(
  { upstreams, config }: Uses<'config' | 'upstreams'>,
  { authority }: Access,
  requirement: Requirement,
  permit: Refusal,
): Promise<OciError | undefined> {
  const upstream = upstreams.get(authority ?? '');
  const mayBeTooNarrow =
    permit.refused === 'insufficient_scope' && permit.user !== undefined && permit.upstream === undefined;
  if (!upstream || !mayBeTooNarrow || isRead(requirement)) return undefined;
  try {
    await upstream.userAuthority.checkReachable(config.auth.realmHosts);
    return undefined;
  } catch (error) {
    const { gate } = upstream.view();
    if (gate.mode === 'refusing') return pushRefusal(upstream.name, gate, readClocks());
    return new OciError(
      'DENIED',
      `pushes are refused: ${upstream.name} cannot say now who may push (${asUpstreamError(error).summary}); pulls keep working`,
    );
  }
}

/**
 * The refusal of a read whose token was made for a push while the authority was unreachable. Such a token may open nothing but the reason
 * of the refused push. It says nothing of the right to read, so the client is not told that it has none. A HEAD before the push is
 * answered with 404, because clients show no reason of a failed HEAD.
 * @returns undefined for a token that was made for anything else
 */
export function unverifiedReadDenial(
  { method, notes }: Pick<Exchange, 'method' | 'notes'>,
  { upstreams }: Uses<'upstreams'>,
  { authority }: Access,
  requirement: Requirement,
  permit: Refusal,
): OciError | undefined {
  if (permit.refused !== 'insufficient_scope' || !permit.authorityUnreachable || !isRead(requirement)) return undefined;
  const unreachable = upstreams.get(authority ?? '')?.userAuthority.unavailable ?? false;
  if (method === 'HEAD' && unreachable)
    return new OciError(notes.parse.kind === 'blob' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN');
  return new OciError('UNAVAILABLE', `${authority} could not say who may read this when the token was made; try again`);
}

function isRead(requirement: Requirement): boolean {
  return (
    requirement === 'any-user' || requirement.requested.every(({ actions }) => actions.every((one) => one === 'pull'))
  );
}
