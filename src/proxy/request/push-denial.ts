import type { Permit, Requirement } from '../../auth/guard.ts';
import { readClocks } from '../../clock/clock.ts';
import { pushRefusal } from '../../failover/plan.ts';
import { OciError } from '../../oci/error.ts';
import { asUpstreamError } from '../../upstream/upstream-error.ts';
import type { Uses } from '../proxy-context.ts';
import type { Access } from './access.ts';

/**
 * The refusal of a push whose token is too narrow only because the authority was unreachable when the token was made.
 * After a challenge, its client would send the same token again and show no reason.
 * @returns undefined if another token could help
 */
export async function unverifiedPushDenial(
  { upstreams, config }: Uses<'config' | 'upstreams'>,
  { authority }: Access,
  requirement: Requirement,
  permit: Extract<Permit, { refused: unknown }>,
): Promise<OciError | undefined> {
  const upstream = upstreams.get(authority ?? '');
  const mayBeTooNarrow =
    permit.refused === 'insufficient_scope' && permit.user !== undefined && permit.upstream === undefined;
  const actions = requirement === 'any-user' ? [] : requirement.requested.flatMap((one) => one.actions);
  if (!upstream || !mayBeTooNarrow || actions.every((action) => action === 'pull')) return undefined;
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
