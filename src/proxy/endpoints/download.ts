import { OciError } from '../../oci/error.ts';
import { asUpstreamError } from '../../upstream/upstream-error.ts';
import { ClientGone, type Exchange } from '../exchange.ts';
import type { Uses } from '../proxy-context.ts';
import { pullHeaders, repliedHeaders } from '../reply/header-rules.ts';
import { passRedirect } from '../reply/location.ts';
import { plainTransfer, type Reply } from '../reply/reply.ts';

/**
 * The second hop of a redirect that leads to the upstream's own host (Artifact Registry's /artifacts-downloads/). The
 * sealed path is the permission, as the path itself would be. The request carries no credentials.
 */
export async function fetchDownload(
  exchange: Exchange,
  context: Uses<'sealer' | 'upstreams'>,
  token: string,
): Promise<Reply> {
  if (exchange.method !== 'GET' && exchange.method !== 'HEAD')
    throw new OciError('UNSUPPORTED', undefined, { headers: { allow: 'GET, HEAD' } });
  const sealed = await context.sealer.open(token, 'download');
  const upstream = sealed && context.upstreams.get(sealed.upstream);
  const replica = upstream?.replica(sealed?.url ?? '');
  const connection = upstream?.connection(sealed?.url ?? '');
  if (!sealed || !upstream || !replica || !connection)
    throw new OciError('BLOB_UNKNOWN', 'this download has expired; ask for the blob again');
  const permit = replica.tryStartAttempt('data', { client: exchange.requester, repository: '' });
  if (!permit) throw new OciError('UNAVAILABLE', 'too many transfers are under way; try again');
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), upstream.config.deadlines.blob);
  try {
    const signal = AbortSignal.any([exchange.gone, deadline.signal]);
    const here = onHost(sealed.url, sealed.path);
    const call = { method: exchange.method, headers: pullHeaders(exchange), signal };
    const answer = await connection.sendElsewhere(here, call);
    exchange.hold(() => answer.body.destroy());
    permit.reportStatus(answer);
    const headers = repliedHeaders(answer.headers, 'storage');
    const onward = answer.headers.get('location');
    if (onward !== undefined && URL.canParse(onward, here)) {
      const origin = { upstream: upstream.name, url: sealed.url };
      headers.push(['location', await passRedirect(context, origin, onward, here)]);
    }
    headers.push(['x-breakwater-upstream', upstream.name]);
    const body = plainTransfer(answer.body, upstream.name, permit, upstream.config.deadlines.stall);
    return { status: answer.status, headers, body, upstream: upstream.name };
  } catch (error) {
    if (exchange.gone.aborted) {
      permit.reportEnd('neutral');
      throw new ClientGone();
    }
    const reason = deadline.signal.aborted ? 'first-byte' : asUpstreamError(error).reason;
    permit.reportFailure(reason);
    throw new OciError('UNAVAILABLE', `${upstream.name} did not answer (${reason})`);
  } finally {
    clearTimeout(timer);
  }
}

/** A path on the host of a URL, also one such as `//elsewhere/x`, which would name another host if it was resolved. */
function onHost(url: string, path: string): URL {
  const here = new URL(url);
  const [pathname = '', search] = path.split(/\?(.*)/s);
  here.pathname = pathname;
  here.search = search ?? '';
  return here;
}
