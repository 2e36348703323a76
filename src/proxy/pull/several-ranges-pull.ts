import { randomBytes } from 'node:crypto';
import { multipartFrame } from '../../oci/byte-ranges.ts';
import { type ByteRange, formatRange } from '../../oci/range.ts';
import { firstRange, planReads } from '../../oci/several-ranges.ts';
import { extentOf } from '../../splice/extent.ts';
import { RangesBody } from '../../splice/ranges-body.ts';
import type { PrimedBody } from '../../upstream/body/primed-body.ts';
import { HeaderList } from '../../upstream/header-list.ts';
import type { Exchange } from '../exchange.ts';
import type { ChallengeContext } from '../proxy-context.ts';
import type { Reply } from '../reply/reply.ts';
import { discardAnswer } from './attempt-result.ts';
import { fetchContent } from './blob-and-list-pull.ts';
import { type BlobContext, blobTransfer } from './blob-transfer.ts';
import type { Relayable } from './pull-plan.ts';
import { pullReply } from './pull-reply.ts';
import type { BlobPull } from './resume-elsewhere.ts';
import { SeveralReads } from './several-reads.ts';

type RangesContext = BlobContext & ChallengeContext;

/** Headers of the first answer that are about one range. */
const OF_ONE_RANGE = new Set(['content-length', 'content-range', 'content-type', 'content-md5', 'content-digest']);

/** The reply to a pull of a blob, or of one range of it. */
export function blobReply(
  exchange: Exchange,
  context: RangesContext,
  pull: BlobPull,
  result: Relayable,
): Promise<Reply> {
  const stream = (body: PrimedBody) => blobTransfer(exchange, context, pull, result, body);
  return pullReply(exchange, context, pull.request, result, stream);
}

/**
 * Stage 4 of a pull of several ranges, and its reply. Upstreams are asked for one range at a time, because many of them refuse several. The
 * answer to the first one decides: if it is no range of a blob of known length, it is relayed as it is.
 * @throws OciError, ClientGone
 */
export async function fetchRanges(
  exchange: Exchange,
  context: RangesContext,
  pull: BlobPull,
  ranges: readonly ByteRange[],
): Promise<Reply> {
  const fetch = async () => {
    const result = await fetchContent(exchange, context, pull.route, pull.request);
    exchange.hold(() => discardAnswer(result));
    return result;
  };
  exchange.range = formatRange(firstRange(ranges));
  const first = await fetch();
  if (first.outcome !== 'served' || first.answer.status !== 206) return blobReply(exchange, context, pull, first);
  const reply = await multipartReply(exchange, context, pull, first, ranges);
  if (reply) return reply;
  discardAnswer(first);
  exchange.range = undefined;
  return blobReply(exchange, context, pull, await fetch());
}

/** @returns undefined if the whole blob is to be sent: its length is not known, or the parts together have more bytes */
async function multipartReply(
  exchange: Exchange,
  context: RangesContext,
  pull: BlobPull,
  first: Relayable,
  ranges: readonly ByteRange[],
): Promise<Reply | undefined> {
  const { status, url, redirected } = first.answer;
  const extent = extentOf(first.answer);
  const groups = extent && planReads(ranges, extent.total);
  const [group] = groups ?? [];
  if (!extent || !groups || !group) return undefined;
  const parts = groups.flatMap((one) => one.parts);
  const frame = multipartFrame(randomBytes(16).toString('hex'), parts, extent.total);
  const reads = new SeveralReads(exchange, context, pull, extent.total);
  // What was asked for first may be there only for the length of the blob.
  const fits = extent.first === group.first && extent.last >= group.last;
  const stream = (body: PrimedBody) => {
    if (!fits) discardAnswer(first);
    const begun = fits ? reads.begun(group, first, body) : undefined;
    return new RangesBody({ groups, frame, begun, open: (one) => reads.begin(one) });
  };
  const headers = new HeaderList([
    ...[...first.answer.headers].filter(([name]) => !OF_ONE_RANGE.has(name)),
    ['content-type', frame.contentType],
    ['content-length', String(frame.length)],
  ]);
  exchange.notes.relay.parts = parts.length;
  return pullReply(exchange, context, pull.request, { ...first, answer: { status, url, redirected, headers } }, stream);
}
