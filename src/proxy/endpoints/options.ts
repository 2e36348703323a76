import type { Attempt } from '../../failover/plan.ts';
import { findRoute } from '../../failover/rewrite.ts';
import { OciError } from '../../oci/error.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import { readExplanation } from '../../upstream/body/explanatory-body.ts';
import { asUpstreamError, UpstreamError } from '../../upstream/upstream-error.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { planAttempts } from '../pull/pull.ts';
import { translateChallenges } from '../reply/challenge.ts';
import { pullHeaders } from '../reply/header-rules.ts';
import type { Reply } from '../reply/reply.ts';

const REPLIED = ['allow', 'docker-distribution-api-version'];

/**
 * Asks the upstream that is the first one now what it takes at this path. No other one is asked: it may be another kind of registry.
 * @throws OciError, ClientGone
 */
export async function fetchOptions(
  exchange: Exchange,
  context: ChallengeContext & Uses<'turn' | 'upstreams' | 'views'>,
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
    const answer = await connection.send({
      method: 'OPTIONS',
      path: pathOf(request, attempt),
      headers: pullHeaders(exchange, false),
      scopes: attempt.repository === '' ? [] : [`repository:${attempt.repository}:pull`],
      clientAuthorization: exchange.clientAuthorization,
      redirects: 'pass',
      signal: AbortSignal.any([exchange.gone, deadline]),
    });
    permit.reportStatus(answer);
    const { status, headers } = answer;
    await readExplanation(answer.body);
    permit.reportEnd('good');
    exchange.recordAttempt(attempt, started, { class: 'control', outcome: 'served', status });
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
    exchange.recordAttempt(attempt, started, { class: 'control', outcome: 'failed', reason, detail });
    throw new OciError('UNAVAILABLE', `${attempt.upstream} could not answer (${reason})`);
  }
}

/** @throws OciError if there is no upstream to ask */
function firstAttempt(
  exchange: Exchange,
  context: Uses<'routes' | 'turn' | 'views'>,
  request: RegistryRequest,
): Attempt {
  const { routes } = context;
  const named = 'repository' in request ? request.repository : undefined;
  const route =
    named === undefined
      ? routes.find(({ registry }) => registry === exchange.registry)
      : findRoute(routes, exchange.registry, named);
  if (!route) throw new OciError('NAME_UNKNOWN', 'no route of this registry matches the repository');
  const [first] = planAttempts(exchange, context, route, named ?? route.prefix, 'control');
  if (!first) throw new OciError('UNAVAILABLE', 'no upstream can answer');
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
