import { quotable } from '../../http/write-answer.ts';
import { OciError } from '../../oci/error.ts';
import { nextPageQuery } from '../../oci/link.ts';
import { isSchema1Type } from '../../oci/manifest-type.ts';
import type { RegistryRequest } from '../../oci/request.ts';
import type { StreamedBody } from '../../splice/transfer.ts';
import type { PrimedBody } from '../../upstream/body/primed-body.ts';
import { parseJson } from '../../upstream/body/read-body.ts';
import type { HeaderList } from '../../upstream/header-list.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { translateChallenges } from '../reply/challenge.ts';
import { errorInClientNames, ownRefusal } from '../reply/error-body.ts';
import { repliedHeaders } from '../reply/header-rules.ts';
import { passRedirect } from '../reply/location.ts';
import type { Reply } from '../reply/reply.ts';
import { namespaceOf } from '../request/paths.ts';
import { answerDigest } from './answer-digest.ts';
import type { Relayable } from './pull-plan.ts';

/** The headers of an upstream's answer to a pull that the edge puts into its own words. */
export const REWRITTEN = new Set(['location', 'link', 'www-authenticate', 'warning', 'content-length']);

/** The same where the edge puts a body of its own in the place of the upstream's. */
const RETYPED = new Set([...REWRITTEN, 'content-type', 'content-encoding', 'etag', 'last-modified']);

/**
 * The reply to a pull: the upstream's answer in the client's names, with a Warning if it comes from a fallback.
 * @param stream makes the transfer of a body that was not read whole
 */
export async function pullReply(
  exchange: Exchange,
  context: ChallengeContext & Uses<'views'>,
  request: RegistryRequest,
  result: Relayable,
  stream?: (body: PrimedBody) => StreamedBody,
): Promise<Reply> {
  const { answer, attempt } = result;
  const explanation = ownExplanation(request, result);
  const body = explanation ?? bodyOf(request, result, stream);
  const headers = [
    ...repliedHeaders(answer.headers, answer.redirected ? 'storage' : 'registry', explanation ? RETYPED : REWRITTEN),
    ...(explanation ? [['content-type', 'application/json'] as [string, string]] : []),
    ...(await redirectHeaders(context, result)),
    ...linkHeaders(request, answer.headers),
    ...lengthHeaders(request, answer, body),
    ...(await translateChallenges(exchange, context, attempt, answer)),
    ...originHeaders(exchange, context, attempt.upstream, answer.headers.joined('warning')),
  ];
  const isTold = headers.some(([name]) => name === 'docker-content-digest');
  const digest = isTold ? undefined : digestOf(request, result);
  if (digest !== undefined) headers.push(['docker-content-digest', digest]);
  return { status: answer.status, headers, body, upstream: attempt.upstream };
}

/** The digest for a reply whose upstream does not tell it, such as storage behind a redirect. */
function digestOf(request: RegistryRequest, result: Relayable): string | undefined {
  const { status, headers } = result.answer;
  if (request.kind === 'blob') return status < 300 ? request.digest : undefined;
  const isWhole = request.kind === 'manifest' && status === 200 && Buffer.isBuffer(result.body);
  // The digest of a conversion to schema 1 is not that of its bytes.
  return isWhole && !isSchema1Type(headers.get('content-type')) ? answerDigest(result) : undefined;
}

/**
 * `X-Breakwater-Upstream`, and a Warning (RFC 7234 section 5.5) if another upstream than the preferred one answered.
 */
export function originHeaders(
  exchange: Exchange,
  context: Uses<'views'>,
  upstream: string,
  passed?: string,
): [string, string][] {
  const headers: [string, string][] = [['x-breakwater-upstream', upstream]];
  if (passed !== undefined) headers.push(['warning', passed.slice(0, 2048)]);
  const { notes } = exchange;
  const { tag } = notes.fetch;
  if (tag?.text !== undefined) headers.push(['warning', `299 - "${quotable(tag.text)}"`]);
  const { preferred, passedOver } = notes.plan;
  if (preferred === undefined || preferred === upstream) return headers;
  const why =
    exchange.attempts.find((attempt) => attempt.upstream === preferred)?.reason ??
    passedOver?.replace(/^last resort: /, '') ??
    context.views().get(preferred)?.reason ??
    'not available';
  notes.fetch.detail ??= `${preferred}: ${why}`;
  const text = `served by ${upstream} because ${preferred} is not available (${why})`;
  headers.push(['warning', `299 - "${quotable(text)}"`]);
  return headers;
}

/** The body of a refusal whose own is empty or did not arrive whole; undefined where no body is missing. */
function ownExplanation(request: RegistryRequest, { outcome, answer, body, attempt }: Relayable): Buffer | undefined {
  if (outcome !== 'refused' || request.method === 'HEAD') return undefined;
  const said = `${attempt.upstream} answered ${answer.status}`;
  if (body === undefined) return ownRefusal(answer.status, `${said}, and its explanation did not arrive`);
  const isEmpty = Buffer.isBuffer(body) && body.length === 0;
  return isEmpty ? ownRefusal(answer.status, `${said} without an explanation`) : undefined;
}

function bodyOf(
  request: RegistryRequest,
  { answer, body, attempt }: Relayable,
  stream: ((body: PrimedBody) => StreamedBody) | undefined,
): Reply['body'] {
  if (body === undefined) return undefined;
  if (Buffer.isBuffer(body)) {
    if (!('repository' in request)) return body;
    if (answer.status >= 400) return errorInClientNames(body, attempt, request.repository);
    return request.kind === 'tags' && answer.status === 200 ? inClientNames(body, request.repository) : body;
  }
  if (!stream) throw new Error('only blobs are streamed');
  return stream(body);
}

/**
 * A tag list under the client's name for the repository. `manifest` is Artifact Registry's map by digest. Its `child`
 * is left out, because it names repositories that no route leads to.
 */
function inClientNames(body: Buffer, repository: string): Buffer {
  const list = parseJson(body);
  if (list === undefined)
    throw new OciError('UNAVAILABLE', 'the upstream sent a list that cannot be parsed; try again');
  if (typeof list !== 'object' || list === null || !('tags' in list)) return body;
  const manifest = 'manifest' in list ? { manifest: list.manifest } : {};
  return Buffer.from(JSON.stringify({ name: repository, tags: list.tags ?? [], ...manifest }));
}

async function redirectHeaders(
  context: Uses<'sealer'>,
  { outcome, answer, attempt }: Relayable,
): Promise<[string, string][]> {
  const location = answer.headers.get('location');
  if (outcome !== 'redirect' || location === undefined) return [];
  return [['location', await passRedirect(context, attempt, location, answer.url)]];
}

function linkHeaders(request: RegistryRequest, headers: HeaderList): [string, string][] {
  const next = nextPageQuery(headers.joined('link'));
  if (!next || !('repository' in request)) return [];
  const path = request.kind === 'referrers' ? `referrers/${request.digest}` : 'tags/list';
  for (const [name, value] of namespaceOf(request.query)) next.set(name, value);
  return [['link', `</v2/${request.repository}/${path}?${next}>; rel="next"`]];
}

function lengthHeaders(
  request: RegistryRequest,
  { status, headers }: Relayable['answer'],
  body: Reply['body'],
): [string, string][] {
  // The length in a 304 would be that of a body that was not sent (RFC 9110 section 8.6) and was not counted.
  if (Buffer.isBuffer(body) && status !== 304) return [['content-length', String(body.length)]];
  const length = headers.contentLength();
  // The length of a tag list in answer to a HEAD is that of the upstream's names.
  return length === undefined || request.kind === 'tags' ? [] : [['content-length', String(length)]];
}
