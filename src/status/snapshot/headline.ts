import type { PeerView } from '../../peer/peer-view.ts';
import type { TagWarning } from '../tag-warnings.ts';
import { replicationNews } from './replication-lines.ts';
import type { ReplicationSnapshot } from './replication-snapshot.ts';
import type { RouteSnapshot, UpstreamSnapshot } from './upstream-snapshot.ts';

/**
 * `well`: all works as configured. `degraded`: an upstream has failed over, or could not take over, or pushes are refused. `failing`: some
 * route has no healthy upstream.
 */
export interface Headline {
  level: 'well' | 'degraded' | 'failing';
  /** A few sentences for an operator, the most important first. */
  lines: string[];
  /** The lines, joined by spaces. */
  text: string;
}

export interface HeadlineInput {
  ready: boolean;
  upstreams: readonly UpstreamSnapshot[];
  routes: readonly RouteSnapshot[];
  /** Newest first. */
  tagWarnings: readonly TagWarning[];
  peers: readonly PeerView[];
  replication: ReplicationSnapshot | null;
}

interface ServedRoute {
  route: RouteSnapshot;
  /** The upstream that serves the route's pulls now; undefined if none is healthy. */
  by: string | undefined;
}

/** Most names in one sentence. */
const MAX_NAMES = 4;
/** The headline shows a tag that was served with a warning for this long, in milliseconds. */
const TAG_WARNING_MS = 600_000;

/** Says which upstream serves pulls, where pushes go, and what needs the operator. @param now epoch milliseconds */
export function headlineOf(input: HeadlineInput, now: number): Headline {
  const { ready, upstreams, routes, tagWarnings, peers } = input;
  const troubles = new Map(
    upstreams.flatMap((upstream): [string, string][] => {
      const trouble = troubleWith(upstream, now);
      return trouble === undefined ? [] : [[upstream.name, trouble]];
    }),
  );
  const served = routes.map((route) => ({
    route,
    by: route.pull.map((one) => one.upstream).find((name) => !troubles.has(name)),
  }));
  const gated = upstreams.filter((upstream) => upstream.pushes !== undefined);
  const copies = replicationNews(input.replication, (name) => troubles.has(name), now);
  const lines = [
    ...(ready ? [] : ['This edge is starting or draining.']),
    pullsLine(served, troubles),
    ...unusableFallbackLines(served, troubles),
    ...pushLines(gated, troubles, now),
    ...credentialLines(upstreams, now),
    ...corruptCopyLines(upstreams),
    ...tagLines(tagWarnings, now),
    ...copies.lines,
    ...peerLines(peers, now),
  ];
  const failing = served.some(({ by }) => by === undefined);
  const degraded =
    !ready ||
    peers.some(isOutOfSync) ||
    copies.degraded ||
    troubles.size > 0 ||
    upstreams.some(({ credentials, corrupt }) => credentials?.state === 'refused' || corrupt.count > 0) ||
    gated.some(({ pushes }) => pushes?.admitted === false);
  return { level: failing ? 'failing' : degraded ? 'degraded' : 'well', lines, text: lines.join(' ') };
}

function pullsLine(served: readonly ServedRoute[], troubles: ReadonlyMap<string, string>): string {
  const groups = [...Map.groupBy(served, ({ by }) => by)];
  // Routes whose pulls fail come first.
  groups.sort(([one], [other]) => Number(one !== undefined) - Number(other !== undefined));
  const sentences = groups.map(([by, group]) => {
    const pulls = groups.length === 1 ? 'Pulls' : `Pulls of ${names(group.map(({ route }) => nameOf(route)))}`;
    return by === undefined
      ? `${pulls} may fail: no upstream is healthy, and each is still tried.`
      : `${pulls} are served by ${by}.`;
  });
  const skipped = new Set(served.flatMap(({ route, by }) => skippedUpstreams(route, by)));
  return [...sentences, ...[...skipped].flatMap((name) => troubles.get(name) ?? []).map((text) => `${text}.`)].join(
    ' ',
  );
}

/** Upstreams of the route before the one that serves. */
function skippedUpstreams(route: RouteSnapshot, by: string | undefined): string[] {
  const order = route.pull.map((one) => one.upstream);
  return by === undefined ? order : order.slice(0, order.indexOf(by));
}

/** Upstreams that serve no route now, and could not take over. */
function unusableFallbackLines(served: readonly ServedRoute[], troubles: ReadonlyMap<string, string>): string[] {
  const skipped = new Set(served.flatMap(({ route, by }) => skippedUpstreams(route, by)));
  return [...troubles]
    .filter(([name]) => !skipped.has(name))
    .map(([, trouble]) => `${trouble}, so it cannot take over.`);
}

function pushLines(gated: readonly UpstreamSnapshot[], troubles: ReadonlyMap<string, string>, now: number): string[] {
  if (gated.length === 0) return ['Pushes are refused: every route is read-only.'];
  return gated.flatMap(({ name, pushes: gate }) => {
    if (!gate) return [];
    if (gate.mode === 'accepting') return [`Pushes go to ${name}.`];
    if (gate.mode === 'settling')
      return [`Pushes to ${name} are refused for a few more seconds: it has just recovered.`];
    // A reason that the line about pulls gives is not repeated.
    const why = troubles.get(name)?.includes(gate.reason) ? '' : ` (${gate.reason})`;
    return [`Pushes to ${name} have been refused since ${clock(gate.since, now)}${why}.`];
  });
}

/** Clients see nothing of refused credentials, and only the operator can renew them. */
function credentialLines(upstreams: readonly UpstreamSnapshot[], now: number): string[] {
  return upstreams.flatMap(({ name, credentials }) =>
    credentials?.state === 'refused'
      ? [
          `${name} has refused this edge's credentials since ${clock(credentials.since, now)} (${credentials.reason}). Renew them.`,
        ]
      : [],
  );
}

function corruptCopyLines(upstreams: readonly UpstreamSnapshot[]): string[] {
  return upstreams.flatMap(({ name, corrupt: { count } }) => {
    if (count === 0) return [];
    const [blobs, them] = count === 1 ? ['a corrupt blob', 'it'] : [`${count} corrupt blobs`, 'them'];
    return [`${name} has ${blobs}. Pulls use other upstreams for ${them}. Repair ${them} as docs/splicing.md says.`];
  });
}

function tagLines(warnings: readonly TagWarning[], now: number): string[] {
  const recent = warnings.filter(({ at }) => now - Date.parse(at) < TAG_WARNING_MS);
  if (recent.length === 0) return [];
  const tags = names(recent.map(({ repository, tag }) => `${repository}:${tag}`));
  return [`Clients got tags that may be out of date in the last 10 minutes: ${tags}.`];
}

/** Each edge serves on its own. If the VIP moves now, the other edge lacks what this edge has learnt. */
function peerLines(peers: readonly PeerView[], now: number): string[] {
  return peers.filter(isOutOfSync).map(({ url, address, state, since, reason }) => {
    const peer = address === null || url.endsWith(address) ? url : `${url} (${address})`;
    const trouble = state === 'stranger' ? 'has rejected this edge' : 'has been unreachable';
    return `The edge at ${peer} ${trouble} since ${clock(since, now)}: ${reason}.`;
  });
}

/** Why requests avoid an upstream, as a sentence without its full stop; undefined if they do not. */
function troubleWith({ name, state, since, reason, urls }: UpstreamSnapshot, now: number): string | undefined {
  if (state === 'down') return `${name} has been down since ${clock(since, now)} (${reason})`;
  if (state === 'unknown') return `${name} has not been probed yet`;
  const up = urls.filter((url) => url.state === 'up');
  const tripped = (url: (typeof up)[number]) => url.breakers.control === 'open' || url.breakers.data === 'open';
  if (up.some((url) => url.restingUntil === null && !tripped(url))) return undefined;
  if (up.some((url) => url.restingUntil !== null)) return `${name} is rate-limiting this edge`;
  return `${name} passes its probes but fails real requests (breaker open)`;
}

function nameOf(route: RouteSnapshot): string {
  if (route.registry !== undefined) return `${route.registry}/${route.prefix}`;
  return route.prefix === '' ? 'everything else' : route.prefix;
}

function names(all: readonly string[]): string {
  const shown = all.slice(0, MAX_NAMES).join(', ');
  return all.length > MAX_NAMES ? `${shown} and ${all.length - MAX_NAMES} more` : shown;
}

/** The time of day in UTC, with the date unless that is today. */
function clock(iso: string, now: number): string {
  const time = `${iso.slice(11, 16)} UTC`;
  return iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10) ? time : `${iso.slice(0, 10)} ${time}`;
}

/** Whether the two edges do not exchange what they learn. */
function isOutOfSync({ state }: PeerView): boolean {
  return state === 'unreachable' || state === 'stranger';
}
