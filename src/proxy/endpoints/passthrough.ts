import { OciError } from '../../oci/error.ts';
import { asUpstreamError } from '../../upstream/upstream-error.ts';
import { ClientGone, type Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { forwardedHeaders, repliedHeaders } from '../reply/header-rules.ts';
import { plainTransfer, type Reply } from '../reply/reply.ts';

const REWRITTEN = new Set(['location']);
const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Forwards a request that is not of the registry API to one upstream, under the edge's own host name, so that the
 * upstream's pages show that name.
 */
export async function fetchPassthrough(
  exchange: Exchange,
  context: Uses<'config' | 'forwarder' | 'upstreams'>,
  name: string,
): Promise<Reply> {
  const upstream = context.upstreams.get(name);
  if (!upstream) throw new OciError('UNKNOWN', `no upstream ${name}`);
  const { replicas } = upstream.view();
  const best = replicas.find((one) => one.state === 'up') ?? replicas[0];
  const evidence = { client: exchange.requester, repository: '' };
  const replica = best && upstream.replica(best.url);
  const permit = replica?.tryStartAttempt('passthrough', evidence);
  if (!replica || !permit) throw new OciError('UNAVAILABLE', `${upstream.name} is not available`);
  const url = new URL(replica.url);
  const { deadlines } = upstream.config;
  const started = performance.now();
  const origin = { upstream: name, url: replica.url };
  try {
    const forwarded = await context.forwarder.forward(exchange, {
      upstream,
      replica,
      url,
      path: url.pathname.replace(/\/+$/, '') + exchange.url,
      headers: passthroughHeaders(exchange),
      connectMs: deadlines.connect,
      // What only reads is told of an outage in time; what writes may have a lot to do.
      answerMs: READS.has(exchange.method) ? deadlines.push : deadlines.commit,
      idleMs: context.config.limits.clientIdle,
      // A failing probe says that storage is down, which most pages do not need. So `pushStall` does not end their writes.
      stallMs: context.config.limits.clientIdle,
      maxBytes: Number.POSITIVE_INFINITY,
    });
    exchange.hold(() => forwarded.body.destroy());
    permit.reportStatus(forwarded);
    exchange.recordAttempt(origin, started, { class: 'passthrough', outcome: 'served', status: forwarded.status });
    const headers = repliedHeaders(forwarded.headers, 'passthrough', REWRITTEN);
    const location = forwarded.headers.get('location');
    if (location !== undefined) headers.push(['location', ownLocation(location, url)]);
    headers.push(['x-breakwater-upstream', upstream.name]);
    const body = plainTransfer(forwarded.body, upstream.name, permit, deadlines.commit);
    return { status: forwarded.status, headers, body, upstream: upstream.name };
  } catch (error) {
    if (error instanceof ClientGone || error instanceof OciError) {
      permit.reportEnd('neutral');
      throw error;
    }
    const { reason, message } = asUpstreamError(error);
    permit.reportFailure(reason);
    exchange.recordAttempt(origin, started, { class: 'passthrough', outcome: 'failed', reason, detail: message });
    throw new OciError('UNAVAILABLE', `${upstream.name} could not answer (${reason})`);
  }
}

function passthroughHeaders(exchange: Exchange): Record<string, string> {
  const host = exchange.authority;
  const forwarded = { 'x-forwarded-host': host, 'x-forwarded-proto': exchange.scheme };
  const { authorization } = exchange.headers;
  const headers = { ...forwardedHeaders(exchange, true), host, ...forwarded };
  return authorization === undefined ? headers : { ...headers, authorization };
}

/** A redirect to the upstream's own host leads to the edge instead, so that a browser stays on the one name. */
function ownLocation(location: string, upstream: URL): string {
  const target = URL.parse(location, upstream);
  if (target?.host !== upstream.host) return location;
  const base = upstream.pathname.replace(/\/+$/, '');
  const path = target.pathname.startsWith(`${base}/`) ? target.pathname.slice(base.length) : target.pathname;
  return path + target.search + target.hash;
}
