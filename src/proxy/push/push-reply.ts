import { OciError } from '../../oci/error.ts';
import type { Transfer } from '../../splice/transfer.ts';
import { readExplanation } from '../../upstream/body/explanatory-body.ts';
import type { HeaderList } from '../../upstream/header-list.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { translateChallenges } from '../reply/challenge.ts';
import { briefError, errorInClientNames, ownRefusal } from '../reply/error-body.ts';
import { repliedHeaders } from '../reply/header-rules.ts';
import { sealUpload } from '../reply/location.ts';
import { plainTransfer, type Reply } from '../reply/reply.ts';
import { withNamespace } from '../request/paths.ts';
import { denialOf, type PushAnswer } from './push.ts';
import type { PushPlan } from './push-plan.ts';

const REWRITTEN = new Set(['location', 'www-authenticate', 'content-length']);
/** The same where the edge puts a body of its own in the place of the upstream's. */
const RETYPED = new Set([...REWRITTEN, 'content-type', 'content-encoding']);

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
  if (denial) throw denial;
  const explanation = await explanationOf(plan, answer);
  const body = explanation?.body ?? streamOf(plan, answer);
  const headers = [
    ...repliedHeaders(answer.headers, 'registry', explanation?.isOwn ? RETYPED : REWRITTEN),
    ...(explanation?.isOwn ? [['content-type', 'application/json'] as [string, string]] : []),
    ...lengthHeaders(answer, body),
    ...(await locationHeaders(context, plan, answer)),
    ...(await translateChallenges(exchange, context, plan.attempt, answer)),
    ['x-breakwater-upstream', plan.attempt.upstream] as [string, string],
  ];
  return { status: answer.status, headers, body, upstream: plan.attempt.upstream };
}

function streamOf({ upstream, attempt }: PushPlan, { permit, body }: PushAnswer): Transfer {
  return plainTransfer(body, attempt.upstream, permit, upstream.config.deadlines.push);
}

/**
 * The body of an error, in the client's names. Of a server error only code and message are passed on, because its
 * detail can hold paths of the storage (rule 4). `isOwn`: the edge wrote it. Undefined: the answer is no error.
 */
async function explanationOf(
  { request, attempt }: PushPlan,
  { status, permit, body: rest }: PushAnswer,
): Promise<{ body: Buffer; isOwn: boolean } | undefined> {
  if (status < 400 || request.method === 'HEAD') return undefined;
  const error = await readExplanation(rest);
  permit.reportEnd('good');
  const named = error && errorInClientNames(error, attempt, request.repository);
  if (named?.length === 0 && status < 500)
    return { body: ownRefusal(status, `${attempt.upstream} answered ${status} without an explanation`), isOwn: true };
  if (named && status < 500) return { body: named, isOwn: false };
  return { body: briefError(named, `${attempt.upstream} failed with status ${status}; push again`), isOwn: true };
}

function lengthHeaders({ headers }: PushAnswer, body: Transfer | Buffer): [string, string][] {
  const length = Buffer.isBuffer(body) ? body.length : headers.contentLength();
  return length === undefined ? [] : [['content-length', String(length)]];
}

async function locationHeaders(
  context: Uses<'sealer'>,
  plan: PushPlan,
  { status, headers }: PushAnswer,
): Promise<[string, string][]> {
  const location = headers.get('location');
  if (location === undefined) return [];
  const { attempt, request } = plan;
  const { query, repository } = request;
  if (status === 201) return [['location', withNamespace(contentLocation(plan, headers), query)]];
  const sealed = await sealUpload(context, attempt, repository, location);
  if (sealed !== undefined) return [['location', withNamespace(sealed, query)]];
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
