import type { TagWarning } from '../tag-warnings.ts';
import { isApart, type PeerSnapshot } from './peer-snapshot.ts';
import { replicationNews } from './replication-lines.ts';
import type { ReplicationSnapshot } from './replication-snapshot.ts';
import type { RouteSnapshot, UpstreamSnapshot } from './upstream-snapshot.ts';

/** `well`: as configured. `degraded`: something serves in place of something else, or nothing could. `failing`: pulls fail. */
export interface Headline {
  level: 'well' | 'degraded' | 'failing';
  /** A few sentences for somebody who was just woken, the most important first. */
  lines: string[];
  /** The same as one text. */
  text: string;
}

export interface HeadlineInput {
  ready: boolean;
  upstreams: readonly UpstreamSnapshot[];
  routes: readonly RouteSnapshot[];
  /** Newest first. */
  tagWarnings: readonly TagWarning[];
  peers: readonly PeerSnapshot[];
  replication: ReplicationSnapshot | null;
}

/** Which upstream a route's pulls are served by now; undefined if none of them is well. */
interface Served {
  route: RouteSnapshot;
  by: string | undefined;
}

/** More names than this do not fit a sentence. */
const NAMES = 4;
/** A tag that was served with a warning is news for so long, in milliseconds. */
const TAG_NEWS_MS = 600_000;

/** Says who serves pulls, what becomes of pushes, and what is amiss. @param now epoch milliseconds */
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
    ...spareLines(served, troubles),
    ...pushLines(gated, troubles, now),
    ...credentialLines(upstreams, now),
    ...rottenLines(upstreams),
    ...tagLines(tagWarnings, now),
    ...copies.lines,
    ...peerLines(peers, now),
  ];
  const failing = served.some(({ by }) => by === undefined);
  const rotten = upstreams.some((upstream) => upstream.rotten.count > 0);
  const degraded =
    !ready ||
    peers.some(isApart) ||
    copies.degraded ||
    troubles.size > 0 ||
    rotten ||
    upstreams.some(({ credentials }) => credentials?.state === 'refused') ||
    gated.some(({ pushes }) => pushes?.admitted === false);
  return { level: failing ? 'failing' : degraded ? 'degraded' : 'well', lines, text: lines.join(' ') };
}

function pullsLine(served: readonly Served[], troubles: ReadonlyMap<string, string>): string {
  const groups = [...Map.groupBy(served, ({ by }) => by)];
  // What fails is said first.
  groups.sort(([one], [other]) => Number(one !== undefined) - Number(other !== undefined));
  const clauses = groups.map(([by, group]) => {
    const of = groups.length === 1 ? 'Pulls' : `pulls of ${names(group.map(({ route }) => nameOf(route)))}`;
    return by === undefined ? `${of}: no upstream is well, each is still asked` : `${of}: served by ${by}`;
  });
  const passedOver = new Set(served.flatMap(({ route, by }) => passed(route, by)));
  const reasons = [...passedOver].flatMap((name) => troubles.get(name) ?? []);
  return `${capital(clauses.join('; '))}${reasons.map((reason) => `, ${reason}`).join('')}.`;
}

/** Upstreams that would have been asked before the one that serves. */
function passed(route: RouteSnapshot, by: string | undefined): string[] {
  const order = route.pull.map((one) => one.upstream);
  return by === undefined ? order : order.slice(0, order.indexOf(by));
}

/** Upstreams that serve nothing now, and could not if they had to. */
function spareLines(served: readonly Served[], troubles: ReadonlyMap<string, string>): string[] {
  const named = new Set(served.flatMap(({ route, by }) => passed(route, by)));
  return [...troubles]
    .filter(([name]) => !named.has(name))
    .map(([, trouble]) => `${trouble}, and could not take over.`);
}

function pushLines(gated: readonly UpstreamSnapshot[], troubles: ReadonlyMap<string, string>, now: number): string[] {
  if (gated.length === 0) return ['Pushes: none, every route is read-only.'];
  return gated.flatMap(({ name, pushes: gate }) => {
    if (!gate) return [];
    const to = gated.length === 1 ? 'Pushes' : `Pushes to ${name}`;
    if (gate.mode === 'accepting') return [gated.length === 1 ? `Pushes: go to ${name}.` : `${to}: admitted.`];
    if (gate.mode === 'settling') return [`${to}: refused for a few seconds more, ${name} is just back.`];
    // What was said of the upstream itself need not be said again.
    const why = troubles.get(name)?.includes(gate.reason) ? '' : ` (${gate.reason})`;
    return [`${to}: refused since ${clock(gate.since, now)}${why}.`];
  });
}

/** Nobody but the operator can mend it, and clients are told nothing of it. */
function credentialLines(upstreams: readonly UpstreamSnapshot[], now: number): string[] {
  return upstreams.flatMap(({ name, credentials }) =>
    credentials?.state === 'refused'
      ? [
          `${name} refuses the credentials that this edge has for it since ${clock(credentials.since, now)} (${credentials.reason}).`,
        ]
      : [],
  );
}

/** Rot on a storage harms nobody as long as another upstream has the blob; but somebody has to mend it. */
function rottenLines(upstreams: readonly UpstreamSnapshot[]): string[] {
  return upstreams.flatMap(({ name, rotten: { count } }) => {
    if (count === 0) return [];
    const blobs = count === 1 ? 'one blob' : `${count} blobs`;
    return [`${name} has ${blobs} with wrong bytes, asked for elsewhere until mended.`];
  });
}

function tagLines(warnings: readonly TagWarning[], now: number): string[] {
  const recent = warnings.filter(({ at }) => now - Date.parse(at) < TAG_NEWS_MS);
  if (recent.length === 0) return [];
  const tags = names(recent.map(({ repository, tag }) => `${repository}:${tag}`));
  return [`Tags that may be old were served in the last 10 minutes: ${tags}.`];
}

/** They serve on their own; but were the VIP to move now, what one learnt since would not be known there. */
function peerLines(peers: readonly PeerSnapshot[], now: number): string[] {
  return peers.filter(isApart).map(({ url, address, state, since, reason }) => {
    const who = address === null || url.endsWith(address) ? url : `${url} (${address})`;
    const trouble = state === 'stranger' ? 'does not know this one' : 'cannot be reached';
    return `The edge at ${who} ${trouble} since ${clock(since, now)}: ${reason}.`;
  });
}

/** What keeps an upstream from being asked; undefined if nothing does. */
function troubleWith({ name, state, since, reason, urls }: UpstreamSnapshot, now: number): string | undefined {
  if (state === 'down') return `${name} is down since ${clock(since, now)} (${reason})`;
  if (state === 'unknown') return `${name} was not probed yet`;
  const up = urls.filter((url) => url.state === 'up');
  const tripped = (url: (typeof up)[number]) => url.breakers.control === 'open' || url.breakers.data === 'open';
  if (up.some((url) => url.restingUntil === null && !tripped(url))) return undefined;
  if (up.some((url) => url.restingUntil !== null))
    return `${name} asked to be left alone for a while (too many requests)`;
  return `${name} passes its probes but fails what it is asked (breaker open)`;
}

function nameOf(route: RouteSnapshot): string {
  if (route.registry !== undefined) return `${route.registry}/${route.prefix}`;
  return route.prefix === '' ? 'everything else' : route.prefix;
}

function names(all: readonly string[]): string {
  const shown = all.slice(0, NAMES).join(', ');
  return all.length > NAMES ? `${shown} and ${all.length - NAMES} more` : shown;
}

/** The time of day in UTC, with the date if it was not today. */
function clock(iso: string, now: number): string {
  const time = `${iso.slice(11, 16)} UTC`;
  return iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10) ? time : `${iso.slice(0, 10)} ${time}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
