import { checkPartialBlob, checkWholeBlob, type DigestCheck, type DigestFinding } from '../../digest/digest-check.ts';
import { toUpstream } from '../../failover/rewrite.ts';
import type { ContentRange } from '../../oci/range.ts';
import { extentOf } from '../../splice/extent.ts';
import { Transfer } from '../../splice/transfer.ts';
import type { PrimedBody } from '../../upstream/body/primed-body.ts';
import type { Exchange } from '../exchange.ts';
import type { PullContext, Uses } from '../proxy-context.ts';
import type { Relayable } from './pull-plan.ts';
import { type BlobPull, legOf, resumeElsewhere } from './resume-elsewhere.ts';

/** The body of a blob on its way to the client. When an upstream fails, the transfer resumes from the next one. */
export function blobTransfer(
  exchange: Exchange,
  context: PullContext & Uses<'hasher' | 'scrubber'>,
  pull: BlobPull,
  result: Relayable,
  source: PrimedBody,
): Transfer {
  const extent = extentOf(result.answer);
  const { splice } = context.config;
  const leg = legOf(context, result, source);
  return new Transfer({
    leg,
    limits: { stallMs: leg.stallMs ?? 0, minRate: splice.minRate, rateWindowMs: splice.window },
    extent,
    check: extent && checkOf(exchange, context, pull, leg.upstream, extent),
    resumeElsewhere: extent && splice.enabled ? resumeElsewhere(exchange, context, pull, extent) : undefined,
  });
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
