import type { Permit, RequestedActions, Requirement } from '../../auth/guard.ts';
import type { Action } from '../../config/access-rule.ts';
import { OciError } from '../../oci/error.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import { formatScope } from '../../oci/scope.ts';
import type { Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import type { Access } from './access.ts';
import { edgeChallenge } from './edge-challenge.ts';
import { callerOf, requestAuthorization } from './login.ts';
import { unverifiedPushDenial, unverifiedReadDenial } from './push-denial.ts';
import { repositoryKeyOf } from './repository-names.ts';
import { visibleUpstreams } from './visible-upstreams.ts';

/**
 * Stage 2: checks whether the client may make this request. In `auth.mode: open` this stage is skipped, and the
 * upstreams decide by the client's credentials. In the other modes the token of the edge's own service decides, and
 * the client's header goes to no upstream.
 * @throws OciError UNAUTHORIZED or DENIED with a challenge
 */
export async function authorize(
  exchange: Exchange,
  context: Uses<'access' | 'config' | 'routes' | 'upstreams'>,
  access: Access,
  request: RegistryRequest,
): Promise<void> {
  exchange.clientAuthorization = undefined;
  const requirement = needOf(exchange, context, access, request);
  const authorization = await requestAuthorization(exchange, access, requirement);
  const checked = access.guard.check(authorization, requirement, callerOf(exchange, access));
  const permit = checked instanceof Promise ? await checked : checked;
  if ('refused' in permit)
    throw (
      (await unverifiedPushDenial(context, access, requirement, permit)) ??
      unverifiedReadDenial(exchange, context, access, requirement, permit) ??
      refusal(exchange, access, requirement, permit)
    );
  exchange.clientAuthorization = permit.upstream;
  exchange.permit = permit;
  exchange.visible = visibleUpstreams(exchange, access);
  if (permit.user !== undefined) exchange.notes.authorize.user = permit.user;
}

function needOf(
  { registry }: Exchange,
  { routes }: Uses<'routes'>,
  { authority }: Access,
  request: RegistryRequest,
): Requirement {
  // A client without a token must learn where to get one, even if it could pull without.
  if (request.kind === 'ping') return { requested: [] };
  if (request.kind === 'catalog') return 'any-user';
  const asked = (repository: string, actions: readonly Action[]): RequestedActions => ({
    repositoryKey: repositoryKeyOf(routes, authority, registry, repository),
    repository,
    actions,
  });
  const requested = [asked(request.repository, actionsOf(request))];
  const from = request.kind === 'upload-start' ? request.query.get('from') : null;
  if (from !== null && from !== request.repository) requested.push(asked(from, ['pull']));
  return { requested };
}

function actionsOf({ kind, method }: RegistryRequest): readonly Action[] {
  if (kind === 'upload' || kind === 'upload-start' || method === 'PUT') return ['pull', 'push'];
  return method === 'DELETE' ? ['delete'] : ['pull'];
}

function refusal(
  exchange: Exchange,
  access: Access,
  requirement: Requirement,
  permit: Extract<Permit, { refused: unknown }>,
): OciError {
  const requested = requirement === 'any-user' ? [] : requirement.requested;
  const scope = requirement === 'any-user' ? 'registry:catalog:*' : requested.map(scopeOf).join(' ');
  const isNarrow = permit.refused === 'insufficient_scope';
  // skopeo and podman show the error of a challenge beside that of the body, and the missing body of a HEAD as an error of its own. Only
  // pushes look for a blob by HEAD. Their clients need no error there, because they have asked for the scope before.
  const isBlobHead = exchange.method === 'HEAD' && exchange.notes.parse.kind === 'blob';
  const challenge = edgeChallenge(exchange, access, scope, isNarrow && isBlobHead ? 'no-token' : permit.refused);
  const headers = { 'www-authenticate': challenge, 'docker-distribution-api-version': 'registry/2.0' };
  if (!isNarrow) return new OciError('UNAUTHORIZED', undefined, { headers });
  const missing = requested.map(({ repository, actions }) => `${actions.at(-1)} ${repository}`).join(' and ');
  const token = permit.user === undefined ? 'a token without a user' : `the token of ${permit.user}`;
  // After a 401, unlike a 403, a client whose token is too narrow asks for another one.
  return new OciError('DENIED', `${token} does not allow: ${missing || 'list the catalog'}`, { status: 401, headers });
}

function scopeOf({ repository, actions }: RequestedActions): string {
  return formatScope({ type: 'repository', name: repository, actions: [...actions] });
}
