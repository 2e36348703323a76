import { type Failure, optionsFailure } from '../../failover/classify.ts';
import type { Attempt } from '../../failover/plan.ts';
import { findRoute } from '../../failover/rewrite.ts';
import { OciError } from '../../oci/error.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import { readExplanation } from '../../upstream/body/explanatory-body.ts';
import type { Answer } from '../../upstream/client.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { UpstreamCall } from '../../upstream/upstream-call.ts';
import { asUpstreamError, UpstreamError } from '../../upstream/upstream-error.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { planAttempts } from '../pull/pull.ts';
import { hidingUpstream } from '../pull/upstream-read.ts';
import { translateChallenges } from '../reply/challenge.ts';
import { pullHeaders } from '../reply/header-rules.ts';
import type { Reply } from '../reply/reply.ts';

const REPLIED = ['allow', 'docker-distribution-api-version', 'retry-after'];

/**
 * Asks the upstream that is the first one now what it takes at this path. No other one is asked: it may be another kind of registry.
 * @throws OciError, ClientGone
 */
export async function fetchOptions(
  exchange: Exchange,
  context: ChallengeContext & Uses<'shown' | 'turn' | 'upstreams' | 'views'>,
  request: RegistryRequest,
): Promise<Reply> {
  const attempt = firstAttempt(exchange, context, request);
  const upstream = context.upstreams.get(attempt.upstream);
  const connection = upstream?.connection(attempt.url);
  const permit = upstream?.replica(attempt.url)?.tryStartAttempt('control', attempt);
  if (!upstream || !connection || !permit)
    throw new OciError('UNAVAILABLE', `${attempt.upstream} has too many requests under way`);
  const started = performance.now();
  const deadline = AbortSignal.timeout(upstream.config.deadlines.manifest);
  try {
    const signal = AbortSignal.any([exchange.gone, deadline]);
    const answer = await connection.send({ ...callFor(exchange, request, attempt), signal });
    const { status, headers } = answer;
    const failure = failureOf(upstream, answer);
    if (failure === undefined) permit.reportAnswer('good');
    else permit.reportStatus(answer);
    await readExplanation(answer.body);
    if (failure !== undefined && failure !== 'rate-limited')
      throw new UpstreamError(failure, `it answers ${status} to OPTIONS`);
    permit.reportEnd(failure ? 'neutral' : 'good');
    const ending = failure ? { outcome: 'failed' as const, reason: failure } : { outcome: 'served' as const };
    exchange.recordAttempt(attempt, started, { class: 'control', ...ending, status });
    const kept = [...headers].filter(([name]) => REPLIED.includes(name));
    const challenges = await translateChallenges(exchange, context, attempt, answer);
    const own: [string, string][] = [
      ['content-length', '0'],
      ['x-breakwater-upstream', attempt.upstream],
    ];
    return { status, headers: [...kept, ...challenges, ...own], body: Buffer.alloc(0), upstream: attempt.upstream };
  } catch (error) {
    if (exchange.gone.aborted || error instanceof OciError) {
      permit.reportEnd('neutral');
      throw error;
    }
    const failure = deadline.aborted ? new UpstreamError('first-byte', 'no answer in time') : asUpstreamError(error);
    const { reason, message: detail } = failure;
    permit.reportFailure(reason);
    if (reason === 'credentials') upstream.reportDeniedCredentials(detail);
    exchange.recordAttempt(attempt, started, { class: 'control', outcome: 'failed', reason, detail });
    throw new OciError('UNAVAILABLE', `${attempt.upstream} could not answer (${reason})`);
  }
}

function callFor(exchange: Exchange, request: RegistryRequest, attempt: Attempt): Omit<UpstreamCall, 'signal'> {
  return {
    method: 'OPTIONS',
    path: pathOf(request, attempt),
    headers: pullHeaders(exchange, false),
    scopes: attempt.repository === '' ? [] : [`repository:${attempt.repository}:pull`],
    clientAuthorization: exchange.clientAuthorization,
    redirects: 'pass',
  };
}

/** Why the answer is not relayed as it is. An upstream that does not take the clients' credentials must not ask for them (rule 3). */
function failureOf(upstream: Upstream, { status, headers }: Answer): Failure | undefined {
  const { credentials } = upstream.config;
  return optionsFailure({
    status,
    credentials: typeof credentials === 'string' ? credentials : 'static',
    wwwAuthenticate: headers.joined('www-authenticate'),
    authorityDead: upstream.view().unhealthy.includes('database'),
  });
}

/** @throws OciError if there is no upstream to ask */
function firstAttempt(
  exchange: Exchange,
  context: Uses<'access' | 'routes' | 'shown' | 'turn' | 'upstreams' | 'views'>,
  request: RegistryRequest,
): Attempt {
  const { routes } = context;
  const named = 'repository' in request ? request.repository : undefined;
  const route =
    named === undefined
      ? routes.find(({ registry }) => registry === exchange.registry)
      : findRoute(routes, exchange.registry, named);
  if (!route) throw new OciError('NAME_UNKNOWN', 'no route of this registry matches the repository');
  // A path of no repository shows none.
  const hiding = named === undefined ? undefined : hidingUpstream(exchange, context, route, named);
  const [first] = planAttempts(exchange, context, route, named ?? route.prefix, 'control', { hiding });
  if (!first) throw new OciError('UNAVAILABLE', 'no upstream can answer');
  if (hiding !== undefined && first.upstream !== hiding)
    throw new OciError(
      'UNAVAILABLE',
      `${hiding} cannot be asked now; no other upstream may answer before ${hiding} has shown the repository; try again`,
    );
  return named === undefined ? { ...first, repository: '' } : first;
}

function pathOf(request: RegistryRequest, { repository }: Attempt): string {
  switch (request.kind) {
    case 'ping':
      return '/v2/';
    case 'catalog':
      return '/v2/_catalog';
    case 'manifest':
      return `/v2/${repository}/manifests/${request.reference}`;
    case 'tags':
      return `/v2/${repository}/tags/list`;
    case 'upload-start':
      return `/v2/${repository}/blobs/uploads/`;
    case 'upload':
      throw new OciError('UNSUPPORTED');
    default:
      return `/v2/${repository}/${request.kind === 'blob' ? 'blobs' : 'referrers'}/${request.digest}`;
  }
}
