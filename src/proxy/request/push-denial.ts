import type { Permit, Requirement } from '../../auth/guard.ts';
import { refusal } from '../../failover/plan.ts';
import { OciError } from '../../oci/error.ts';
import { asUpstreamError } from '../../upstream/upstream-error.ts';
import type { ProxyContext } from '../proxy-context.ts';
import type { Access } from './access.ts';

/**
 * The refusal of a push whose token was made while the authority could not be asked, and is too narrow for that reason alone: to a
 * challenge its client would bring the same token again, and show nobody why. Undefined where another token could help.
 */
export async function unverifiedPushDenial(
  { upstreams, config }: ProxyContext,
  { authority }: Access,
  requirement: Requirement,
  permit: Extract<Permit, { refused: unknown }>,
): Promise<OciError | undefined> {
  const upstream = upstreams.get(authority ?? '');
  const mayBeTooNarrow =
    permit.refused === 'insufficient_scope' && permit.user !== undefined && permit.upstream === undefined;
  if (!upstream || !mayBeTooNarrow || requirement === 'any-user' || !requirement.requested.some(isWrite))
    return undefined;
  try {
    await upstream.users.reach(config.auth.realmHosts);
    return undefined;
  } catch (error) {
    const { gate } = upstream.view();
    if (gate.mode === 'refusing') return refusal(upstream.name, gate);
    return new OciError(
      'DENIED',
      `pushes are refused: ${upstream.name} cannot say now who may push (${asUpstreamError(error).summary}); pulls keep working`,
    );
  }
}

function isWrite({ actions }: Exclude<Requirement, 'any-user'>['requested'][number]): boolean {
  return actions.some((action) => action !== 'pull');
}
