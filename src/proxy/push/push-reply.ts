import { OciError } from '../../oci/error.ts';
import type { Transfer } from '../../splice/transfer.ts';
import { readBody } from '../../upstream/body/read-body.ts';
import type { HeaderList } from '../../upstream/header-list.ts';
import { asUpstreamError, UpstreamError } from '../../upstream/upstream-error.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { translateChallenges } from '../reply/challenge.ts';
import { errorInClientNames } from '../reply/error-body.ts';
import { repliedHeaders } from '../reply/header-rules.ts';
import { sealUpload } from '../reply/location.ts';
import { plainTransfer, type Reply } from '../reply/reply.ts';
import { withNamespace } from '../request/paths.ts';
import { denialOf, type PushAnswer } from './push.ts';
import type { PushPlan } from './push-plan.ts';

const REWRITTEN = new Set(['location', 'www-authenticate', 'content-length']);
const MAX_ERROR = 65_536;

/**
 * The reply to a write: the upstream's answer in the client's names.
 * @throws OciError if the answer must not be passed on
 */
export async function pushReply(
  exchange: Exchange,
  context: ChallengeContext,
  plan: PushPlan,
  answer: PushAnswer,
): Promise<Reply> {
  if (answer.status === 401) {
    plan.upstream
      .connection(plan.attempt.url)
      ?.onWriteUnauthorized(answer.headers.joined('www-authenticate'), plan.scopes);
  }
  const denial = denialOf(plan.upstream, answer);
  if (denial) {
    answer.body.destroy();
    answer.permit.reportEnd('neutral');
    throw denial;
  }
  const body = await bodyOf(plan, answer);
  const headers = [
    ...repliedHeaders(answer.headers, 'registry', REWRITTEN),
    ...lengthHeaders(answer, body),
    ...(await locationHeaders(context, plan, answer)),
    ...(await translateChallenges(exchange, context, plan.attempt, answer)),
    ['x-breakwater-upstream', plan.attempt.upstream] as [string, string],
  ];
  return { status: answer.status, headers, body, upstream: plan.attempt.upstream };
}

/** The body of the answer: an error is read and put into the client's names, anything else is streamed. */
async function bodyOf(
  { upstream, request, attempt }: PushPlan,
  { status, permit, body: rest }: PushAnswer,
): Promise<Transfer | Buffer> {
  const stallMs = upstream.config.deadlines.push;
  if (status < 400 || request.method === 'HEAD') return plainTransfer(rest, attempt.upstream, permit, stallMs);
  const timer = setTimeout(() => rest.destroy(new UpstreamError('stall', `no end within ${stallMs} ms`)), stallMs);
  try {
    const error = await readBody(rest, MAX_ERROR);
    permit.reportEnd('good');
    return errorInClientNames(error, attempt, request.repository);
  } catch (error) {
    permit.reportEnd('bad');
    const { summary } = asUpstreamError(error);
    throw new OciError('UNAVAILABLE', `${attempt.upstream} broke off its answer (${summary}); push again`);
  } finally {
    clearTimeout(timer);
  }
}

function lengthHeaders({ headers }: PushAnswer, body: Transfer | Buffer): [string, string][] {
  const length = Buffer.isBuffer(body) ? body.length : headers.contentLength();
  return length === undefined ? [] : [['content-length', String(length)]];
}

async function locationHeaders(
  context: Uses<'sealer'>,
  plan: PushPlan,
  { status, headers, body, permit }: PushAnswer,
): Promise<[string, string][]> {
  const location = headers.get('location');
  if (location === undefined) return [];
  const { attempt, request } = plan;
  const { query, repository } = request;
  if (status === 201) return [['location', withNamespace(contentLocation(plan, headers), query)]];
  const sealed = await sealUpload(context, attempt, repository, location);
  if (sealed !== undefined) return [['location', withNamespace(sealed, query)]];
  body.destroy();
  permit.reportEnd('neutral');
  throw new OciError('UNAVAILABLE', `${attempt.upstream} moved the upload to another host, which is not supported`);
}

/**
 * The path of the content that was just pushed, in the client's names (distribution-spec "Pushing blobs", "Pushing
 * manifests").
 */
function contentLocation({ request }: PushPlan, headers: HeaderList): string {
  const given = request.query.get('digest') ?? request.query.get('mount');
  const digest = given ?? headers.get('docker-content-digest');
  if (request.kind === 'manifest')
    return `/v2/${request.repository}/manifests/${headers.get('docker-content-digest') ?? request.reference}`;
  return `/v2/${request.repository}/blobs/${digest ?? ''}`;
}
