import { CLOCK_TOLERANCE_MS } from '../../clock/clock.ts';
import type { PeerSight } from '../../failover/vip-eligibility.ts';
import type { PeerAnswered } from '../../peer/peer-question.ts';
import { strangerReason } from '../../peer/peer-refusal.ts';
import type { CheckFinding } from './reachability.ts';

export interface PeerContext {
  /** As the configuration names it. */
  keyFile: string;
  /** The upstreams of this configuration, by the identity of their registry. */
  registries: ReadonlyMap<string, string>;
}

/** What one answer of another edge shows. */
export function peerFindings(subject: string, answered: PeerAnswered, context: PeerContext): CheckFinding[] {
  if (answered.kind === 'silent') return [silentFinding(subject, answered.reason)];
  if (answered.kind === 'stranger') return [strangerFinding(subject, answered.status, context.keyFile)];
  const { release, clockAheadMs = 0, sight } = answered;
  if (!sight) {
    const message = 'it has the same keyFile, and an earlier release: its clock and its upstreams are not known';
    return [
      {
        level: 'warning',
        subject,
        message,
        remedy: 'upgrade it; until then neither edge leaves the VIP to the other one',
      },
    ];
  }
  const message = `it has the same keyFile, is breakwater ${release}, and ${clockText(clockAheadMs)}`;
  const clock = Math.abs(clockAheadMs) < CLOCK_TOLERANCE_MS ? [] : [clockFinding(subject, clockAheadMs)];
  return [{ level: 'ok', subject, message }, ...clock, ...upstreamFindings(subject, sight, context)];
}

export function silentNameFinding(place: string, url: string, reason: string): CheckFinding {
  const remedy = 'write the address of that node, or correct its name in DNS';
  return { level: 'warning', subject: `${place} (${url})`, message: `its name does not resolve: ${reason}`, remedy };
}

function silentFinding(subject: string, reason: string): CheckFinding {
  const message = `no edge answers there: ${reason}`;
  const remedy =
    'start the other edge, or open the way to its listen.https; if that node is gone for good, take it out of peers';
  return { level: 'warning', subject, message, remedy };
}

function strangerFinding(subject: string, status: number, keyFile: string): CheckFinding {
  const message = strangerReason({ status });
  const remedy =
    status === 403
      ? `the secret in keyFile must be the same on all edges: compare "sha256sum ${keyFile}" on both nodes, copy the file, and reload both`
      : 'write the address and the port of listen.https of the other edge, not those of the VIP, a proxy or another service';
  return { level: 'error', subject, message, remedy };
}

function clockText(aheadMs: number): string {
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  return seconds === 0 ? 'has the same time' : `its clock is ${seconds} s ${aheadMs > 0 ? 'ahead' : 'behind'}`;
}

function clockFinding(subject: string, aheadMs: number): CheckFinding {
  const message = `${clockText(aheadMs)}, so tokens of one edge may be refused by the other one`;
  const remedy = 'look at the time synchronization of both hosts (timedatectl, chronyc tracking)';
  return { level: 'error', subject, message, remedy };
}

/** Edges know a registry by its URLs. */
function upstreamFindings(subject: string, { upstreams }: PeerSight, { registries }: PeerContext): CheckFinding[] {
  const there = new Set(upstreams.map(({ id }) => id));
  const lacking = [...registries].flatMap(([id, name]) => (there.has(id) ? [] : [name]));
  const more = upstreams.filter(({ id }) => !registries.has(id)).length;
  if (lacking.length === 0 && more === 0) return [];
  const lacks = lacking.length > 0 ? [`it has no upstream with the urls of ${lacking.join(', ')}`] : [];
  const has = more > 0 ? [`it has ${more} that this configuration lacks`] : [];
  const message = `${[...lacks, ...has].join(', and ')}, so the edges do not share what they learn there`;
  const remedy = 'write the same upstreams with the same urls on all edges, and reload them';
  return [{ level: 'warning', subject, message, remedy }];
}
