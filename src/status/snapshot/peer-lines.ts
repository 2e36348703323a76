import { CLOCK_TOLERANCE_MS } from '../../clock/clock.ts';
import type { AcknowledgementView, PeerView, UnheardView } from '../../peer/peer-view.ts';
import { names } from './replication-lines.ts';
import type { VipSnapshot } from './vip-snapshot.ts';

/** An edge that is short of CPU for a moment catches up with its next question. */
const BEHIND_MS = 5000;
/** Edges notice the begin and the end of an outage at different moments. */
const DIFFERENCE_MS = 5000;

export interface PeerNewsInput {
  peers: readonly PeerView[];
  unheard: readonly UnheardView[];
  acknowledgements: AcknowledgementView;
  vip?: VipSnapshot | null;
}

export interface PeerNews {
  lines: string[];
  degraded: boolean;
}

type Clock = (iso: string) => string;

/** What the status says of the other edges of the site. @param clock shows a time */
export function peerNews(
  { peers, unheard, acknowledgements, vip }: PeerNewsInput,
  clock: Clock,
  now: number,
): PeerNews {
  const late = acknowledgements.behind.filter(({ since }) => now - Date.parse(since) >= BEHIND_MS);
  const troubles = [
    ...differenceLines(vip, clock, now),
    ...peers.flatMap((peer) => outOfStepLines(peer, clock)),
    ...peers.flatMap(clockLines),
    ...late.map(({ peer, since }) => lateLine(peer, clock(since))),
  ];
  return { lines: [...troubles, ...unheardLines(unheard, clock)], degraded: troubles.length > 0 };
}

/** Each edge serves on its own. If the VIP moves now, the other edge lacks what this edge has learnt. */
function outOfStepLines({ url, address, state, since, reason }: PeerView, clock: Clock): string[] {
  if (state !== 'unreachable' && state !== 'stranger') return [];
  const peer = address === null || url.endsWith(address) ? url : `${url} (${address})`;
  if (state === 'unreachable') return [`The edge at ${peer} has been unreachable since ${clock(since)}: ${reason}.`];
  const todo = 'Give both the same keyFile, and run breakwater check on both.';
  return [`The edge at ${peer} has rejected this edge since ${clock(since)}: ${reason}. ${todo}`];
}

function clockLines({ url, address, clockAheadMs }: PeerView): string[] {
  if (clockAheadMs === null || Math.abs(clockAheadMs) < CLOCK_TOLERANCE_MS) return [];
  const seconds = Math.round(Math.abs(clockAheadMs) / 1000);
  const side = clockAheadMs > 0 ? 'ahead of' : 'behind';
  return [
    `The clock of the edge at ${address ?? url} is ${seconds} s ${side} that of this edge, so tokens of one edge may be refused by the other one. Check the time synchronization of both hosts.`,
  ];
}

/** Such an edge does not hear of a write before its reply. */
function lateLine(peer: string, since: string): string {
  return `The edge at ${peer} has not acknowledged what clients push here since ${since}, and replies do not wait for it. If this edge died now, the other one would not know the newest tags.`;
}

/** What is over is not said here: the push upstream confirms most tags soon after. */
function unheardLines(unheard: readonly UnheardView[], clock: Clock): string[] {
  const open = unheard.filter(({ until }) => until === null);
  return open.map(({ peer, since }) => {
    const from = since === null ? '' : ` since ${clock(since)}`;
    return `Pushes through the edge at ${peer} may have been missed${from}, so the age of tags from a fallback is unknown.`;
  });
}

function differenceLines(vip: VipSnapshot | null | undefined, clock: Clock, now: number): string[] {
  const shown = (vip?.differences ?? []).filter(({ since }) => now - Date.parse(since) >= DIFFERENCE_MS);
  return shown.map(({ peer, lacking, upstreams, covers, since }) => {
    const [reached, pushed] = [upstreams.filter(({ pulls }) => pulls), upstreams.filter(({ pulls }) => !pulls)];
    const lost = [
      ...(reached.length > 0 ? [`does not reach ${listed(reached)}`] : []),
      ...(pushed.length > 0 ? [`cannot push to ${listed(pushed)}`] : []),
    ].join(' and ');
    const [who, other] =
      lacking === 'this' ? ['This edge', `the edge at ${peer}`] : [`The edge at ${peer}`, 'this edge'];
    const host = lacking === 'this' ? 'this node' : 'that node';
    const check = `Check the network between ${host} and ${listed(upstreams)}`;
    return `${who} ${lost}, and ${other} does, since ${clock(since)}. ${vipText(vip, lacking, covers)} ${check}.`;
  });
}

function vipText(vip: VipSnapshot | null | undefined, lacking: 'this' | 'peer', covers: boolean): string {
  if (!covers) return 'Each of the two reaches something that the other one does not, so the VIP stays where it is.';
  if (lacking === 'peer') return 'If that node has the VIP, it leaves it to this one.';
  if (vip?.defersTo) return 'The VIP moves there, because /vipz fails here.';
  return 'If the other edge keeps promising to hold the VIP, /vipz fails here soon.';
}

function listed(upstreams: readonly { upstream: string }[]): string {
  return names(upstreams.map(({ upstream }) => upstream));
}
