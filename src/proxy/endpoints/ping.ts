import type { Attempt } from '../../failover/plan.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { attemptRead } from '../pull/attempt.ts';
import type { UpstreamRead } from '../pull/attempt-result.ts';
import { translateChallenges } from '../reply/challenge.ts';
import { jsonReply, type Reply } from '../reply/reply.ts';

const API_VERSION: [string, string] = ['docker-distribution-api-version', 'registry/2.0'];

/**
 * The version check, `/v2/`. Clients learn from it whether to send credentials at all. If an upstream takes the
 * clients' own, its challenge is relayed. When that upstream does not answer, the edge answers 200: pulls continue
 * from the other upstreams without credentials.
 */
export async function fetchPing(exchange: Exchange, context: ChallengeContext & Uses<'upstreams'>): Promise<Reply> {
  if (context.access) return jsonReply(200, {}, [API_VERSION]);
  const attempt = challenger(exchange, context);
  const upstream = attempt && context.upstreams.get(attempt.upstream);
  if (!attempt || !upstream || upstream.view().state === 'down') return jsonReply(200, {}, [API_VERSION]);
  const read: UpstreamRead = {
    method: 'GET',
    content: 'ping',
    path: '/v2/',
    headers: {},
    scopes: [],
    clientAuthorization: exchange.clientAuthorization,
    wholeUpTo: 65_536,
  };
  const limit = { ms: upstream.config.deadlines.manifest, ignoreCanary: false };
  const result = await attemptRead(upstream, attempt, read, limit, exchange.control());
  if (result.outcome !== 'refused' || result.answer.status !== 401) return jsonReply(200, {}, [API_VERSION]);
  const challenges = await translateChallenges(exchange, context, attempt, result.answer);
  const error = { errors: [{ code: 'UNAUTHORIZED', message: 'authentication required', detail: {} }] };
  return jsonReply(401, error, [API_VERSION, ...challenges]);
}

/** The upstream whose challenge clients get: the first one, in the order of the routes, with `credentials: forward`. */
function challenger(
  { registry, requester: client }: Exchange,
  context: Uses<'routes' | 'upstreams'>,
): Attempt | undefined {
  for (const route of context.routes.filter((one) => one.registry === registry)) {
    for (const candidate of [route.push, ...route.pull]) {
      const upstream = candidate && context.upstreams.get(candidate.upstream);
      if (upstream?.config.credentials !== 'forward' || !candidate) continue;
      const { replicas } = upstream.view();
      const url = (replicas.find((one) => one.state === 'up') ?? replicas[0])?.url;
      const place = { upstream: upstream.name, repository: '', client, candidate };
      if (url !== undefined) return { ...place, url, class: 'control', why: 'its users are the clients' };
    }
  }
  return undefined;
}
