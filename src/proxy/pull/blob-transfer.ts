import { checkPartialBlob, checkWholeBlob, type DigestCheck, type DigestFinding } from '../../digest/digest-check.ts';
import { toUpstream } from '../../failover/rewrite.ts';
import type { ContentRange } from '../../oci/range.ts';
import { extentOf } from '../../splice/extent.ts';
import type { Leg } from '../../splice/running-leg.ts';
import type { ThroughputLimits } from '../../splice/throughput.ts';
import { Transfer } from '../../splice/transfer.ts';
import type { PrimedBody } from '../../upstream/body/primed-body.ts';
import type { Exchange } from '../exchange.ts';
import type { PullContext, Uses } from '../proxy-context.ts';
import type { Relayable } from './pull-plan.ts';
import { type BlobPull, type BlobRead, BrokenUrls, legOf, resumeElsewhere } from './resume-elsewhere.ts';

export type BlobContext = PullContext & Uses<'hasher' | 'scrubber'>;

/** The body of a blob on its way to the client. When an upstream fails, the transfer resumes from the next one. */
export function blobTransfer(
  exchange: Exchange,
  context: BlobContext,
  pull: BlobPull,
  result: Relayable,
  source: PrimedBody,
): Transfer {
  const extent = extentOf(result.answer);
  const leg = legOf(context, result, source);
  if (extent) return readTransfer(exchange, context, { pull, extent, scope: exchange, broken: new BrokenUrls() }, leg);
  return new Transfer({ leg, limits: limitsOf(context, leg) });
}

/** The bytes of one read on their way to the client. */
export function readTransfer(exchange: Exchange, context: BlobContext, read: BlobRead, leg: Leg): Transfer {
  const { pull, extent } = read;
  return new Transfer({
    leg,
    limits: limitsOf(context, leg),
    extent,
    check: checkOf(exchange, context, pull, leg.upstream, extent),
    resumeElsewhere: context.config.splice.enabled ? resumeElsewhere(exchange, context, read) : undefined,
  });
}

function limitsOf({ config: { splice } }: Uses<'config'>, { stallMs = 0 }: Leg): ThroughputLimits {
  return { stallMs, minRate: splice.minRate, rateWindowMs: splice.window };
}

function checkOf(
  exchange: Exchange,
  context: Uses<'config' | 'copies' | 'hasher' | 'scrubber' | 'upstreams'>,
  { request, route }: BlobPull,
  upstream: string,
  { first, last, total }: ContentRange,
): DigestCheck | undefined {
  if (context.config.verify === 'never') return undefined;
  const { hasher, copies } = context;
  const onFinding = (finding: DigestFinding) => {
    exchange.notes.relay.verified = finding.verdict;
    for (const candidate of route.pull.filter((one) => finding.blame.corrupt.includes(one.upstream))) {
      const repository = toUpstream(route, candidate, request.repository);
      context.upstreams.get(candidate.upstream)?.reportCorruptCopy(finding.digest);
      const copy = { upstream: candidate.upstream, repository, digest: finding.digest };
      context.scrubber.note(copy, context.config.verifyAgain);
    }
  };
  const whole = first === 0 && last === total - 1;
  return whole
    ? checkWholeBlob(upstream, request.digest, { hasher, copies, onFinding })
    : checkPartialBlob(request.digest, { hasher, copies, onFinding });
}
