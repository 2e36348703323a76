import { OciError } from '../../oci/error.ts';
import { readExplanation } from '../../upstream/body/explanatory-body.ts';
import type { HeaderList } from '../../upstream/header-list.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext, Uses } from '../proxy-context.ts';
import { translateChallenges } from '../reply/challenge.ts';
import { briefError, errorInClientNames, ownRefusal } from '../reply/error-body.ts';
import { repliedHeaders } from '../reply/header-rules.ts';
import { sealUpload } from '../reply/location.ts';
import type { Reply } from '../reply/reply.ts';
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
  const { body, isOwn } = await bodyOf(plan, answer);
  const headers = [
    ...repliedHeaders(answer.headers, 'registry', isOwn ? RETYPED : REWRITTEN),
    ...(isOwn && body?.length ? [['content-type', 'application/json'] as [string, string]] : []),
    ...lengthHeaders(answer, body),
    ...(await locationHeaders(context, plan, answer)),
    ...(await translateChallenges(exchange, context, plan.attempt, answer)),
    ['x-breakwater-upstream', plan.attempt.upstream] as [string, string],
  ];
  return { status: answer.status, headers, body, upstream: plan.attempt.upstream };
}

interface PushBody {
  /** Undefined: the answer to a HEAD, which has none. */
  body: Buffer | undefined;
  /** Whether it takes the place of the upstream's. */
  isOwn: boolean;
}

/**
 * The body of the reply. The status settles what became of the write, so a body that does not arrive is not waited for. Of an error, the
 * body is in the client's names. Of a server error only code and message are passed on, because its detail can hold paths of the storage
 * (rule 4).
 */
async function bodyOf({ request, attempt }: PushPlan, { status, permit, body: rest }: PushAnswer): Promise<PushBody> {
  const read = await readExplanation(rest);
  permit.reportEnd('good');
  if (request.method === 'HEAD') return { body: undefined, isOwn: false };
  if (status < 400) return { body: read ?? Buffer.alloc(0), isOwn: read === undefined };
  const named = read && errorInClientNames(read, attempt, request.repository);
  if (named?.length === 0 && status < 500)
    return { body: ownRefusal(status, `${attempt.upstream} answered ${status} without an explanation`), isOwn: true };
  if (named && status < 500) return { body: named, isOwn: false };
  return { body: briefError(named, `${attempt.upstream} failed with status ${status}; push again`), isOwn: true };
}

function lengthHeaders({ headers }: PushAnswer, body: Buffer | undefined): [string, string][] {
  const length = body ? body.length : headers.contentLength();
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
  const sealed = await sealUpload(context, attempt, repository, { location, at: plan.path });
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
