import type { ReplicaView, UpstreamView } from './view.ts';

/** Whether an upstream serves pulls or takes pushes, as an edge sees it. `none`: nothing is pushed there. */
export type Seen = 'yes' | 'no' | 'unknown' | 'none';

/**
 * What an edge sees of one upstream. Times are monotonic milliseconds of the edge that compares. Of another edge they are known within
 * bounds: then `pullsSince` and `pushesSince` are the latest possible times, `goodAt` and `probedAt` the earliest ones.
 */
export interface UpstreamSight {
  /** Identity of the registry, which all edges of a site share. */
  id: string;
  pulls: Seen;
  pullsSince: number;
  pushes: Seen;
  pushesSince: number;
  /** End of the last good probe. Undefined: there was none. */
  goodAt: number | undefined;
  /** Begin of the last probe of the URL that was probed longest ago. Undefined: not every URL was probed. */
  probedAt: number | undefined;
}

/** Where another edge sees more than this one. */
export interface SightGap {
  id: string;
  pulls: boolean;
  pushes: boolean;
}

/**
 * What this edge sees of an upstream. Only probes count, because all edges probe alike. What requests have shown is known to the edge that had
 * the requests, so it says nothing about which edge sees more: then the sight is `unknown`.
 * @param takesPushes whether a route pushes there
 */
export function sightOf(id: string, view: UpstreamView, takesPushes: boolean): UpstreamSight {
  const { replicas, gate } = view;
  const good = replicas.map(({ goodProbeAt }) => goodProbeAt ?? Number.NEGATIVE_INFINITY);
  const begins = replicas.map(({ lastProbeAt, probeMs = 0 }) => (lastProbeAt ?? Number.NEGATIVE_INFINITY) - probeMs);
  return {
    id,
    pulls: pullsOf(view),
    pullsSince: view.since,
    pushes: takesPushes ? pushesOf(view) : 'none',
    pushesSince: gate.since,
    goodAt: finite(Math.max(...good)),
    probedAt: finite(Math.min(...begins)),
  };
}

function pullsOf({ state, replicas }: UpstreamView): Seen {
  if (state === 'down') return replicas.some(isRecovering) ? 'unknown' : 'no';
  return state === 'up' && replicas.some(isUsable) ? 'yes' : 'unknown';
}

/** Harbor tells every edge whether it is read-only. Of other registries only an edge with uploads learns it. */
function pushesOf(view: UpstreamView): Seen {
  if (view.gate.mode === 'accepting') return 'yes';
  if (view.kind === 'harbor' && view.state === 'up' && view.readOnly === true) return 'no';
  return view.state === 'down' ? pullsOf(view) : 'unknown';
}

/** The last probe was good, and does not count yet. */
function isRecovering({ goodProbeAt, lastProbeAt }: ReplicaView): boolean {
  return goodProbeAt !== undefined && goodProbeAt === lastProbeAt;
}

function isUsable({ state, breakers }: ReplicaView): boolean {
  return state === 'up' && breakers.control !== 'open' && breakers.data !== 'open';
}

function finite(at: number): number | undefined {
  return Number.isFinite(at) ? at : undefined;
}

/** Where another edge sees more, by evidence: each edge has probed the upstream since the other one's state began. */
export function gapsOf(mine: readonly UpstreamSight[], theirs: readonly UpstreamSight[]): SightGap[] {
  return mine.flatMap((own) => {
    const other = theirs.find(({ id }) => id === own.id);
    if (!other) return [];
    const pulls = isGap(own, other, own.pulls, other.pulls, own.pullsSince, other.pullsSince);
    const pushes = isGap(own, other, own.pushes, other.pushes, own.pushesSince, other.pushesSince);
    return pulls || pushes ? [{ id: own.id, pulls, pushes }] : [];
  });
}

/** In an outage that both see, one edge notices begin and end before the other one. */
function isGap(
  { probedAt = Number.NEGATIVE_INFINITY }: UpstreamSight,
  { goodAt = Number.NEGATIVE_INFINITY }: UpstreamSight,
  ...[mine, theirs, mySince, theirSince]: [Seen, Seen, number, number]
): boolean {
  return mine === 'no' && theirs === 'yes' && goodAt > mySince && probedAt > theirSince;
}

const RANK: Record<Seen, number> = { none: 0, no: 0, unknown: 1, yes: 2 };

/** Whether another edge sees at least what this one sees. What it does not tell of, it does not see. */
export function coversSight(theirs: readonly UpstreamSight[], mine: readonly UpstreamSight[]): boolean {
  return mine.every((own) => {
    const other = theirs.find(({ id }) => id === own.id);
    return RANK[other?.pulls ?? 'no'] >= RANK[own.pulls] && RANK[other?.pushes ?? 'no'] >= RANK[own.pushes];
  });
}
