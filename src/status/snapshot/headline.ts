import type { AcknowledgementView, PeerView, UnheardView } from '../../peer/peer-view.ts';
import type { ReplicationView } from '../../replication/replication-view.ts';
import type { StopView } from '../stop-view.ts';
import type { TagWarning } from '../tag-warnings.ts';
import { accountNews, KEYS, USES } from './account-lines.ts';
import { type CertificateSnapshot, certificateNews } from './certificate-lines.ts';
import { peerNews } from './peer-lines.ts';
import { names, replicationNews } from './replication-lines.ts';
import type { RouteSnapshot, UpstreamSnapshot, UrlSnapshot } from './upstream-snapshot.ts';
import type { VipSnapshot } from './vip-snapshot.ts';

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

/** The part of a snapshot that the headline sums up. */
export interface HeadlineInput {
  ready: boolean;
  upstreams: readonly UpstreamSnapshot[];
  routes: readonly RouteSnapshot[];
  /** Newest first. */
  tagWarnings: readonly TagWarning[];
  /** The other edges of the site. */
  peers: readonly PeerView[];
  /** When these may have taken pushes of which this edge has not heard. */
  unheard: readonly UnheardView[];
  /** Whether these hear of writes before their replies. */
  acknowledgements: AcknowledgementView;
  /** Null where no route replicates. */
  replication: ReplicationView | null;
  /** With `tls.acme`. */
  certificate?: CertificateSnapshot | null;
  /** Whether this node may hold the VIP, and where edges see different upstreams. */
  vip?: VipSnapshot | null;
  /** A planned stop under way. */
  stopping?: StopSnapshot | null;
}

/** A `StopView`, as in the JSON of `/api/status`: its times are ISO 8601 in UTC. */
export interface StopSnapshot extends Omit<StopView, 'since' | 'until'> {
  since: string;
  until: string;
  /** Milliseconds until what is under way is cut. */
  leftMs: number;
}

/** Why an upstream may not serve pulls now. */
interface Trouble {
  /** A sentence without its full stop. */
  text: string;
  /** `out`: pulls go elsewhere. `failing`: its canary fails, and probes have not decided yet. `unclear`: pulls may succeed there. */
  kind: 'out' | 'failing' | 'unclear';
}

type Troubles = ReadonlyMap<string, Trouble>;

interface ServedRoute {
  route: RouteSnapshot;
  /** The upstreams that cannot be relied on, and come before the first healthy one. */
  skipped: string[];
  /** Where the route's pulls go, as the end of a sentence. */
  pulls: string;
  fails: boolean;
}

/** The headline shows a tag that was served with a warning for this long, in milliseconds. */
const TAG_WARNING_MS = 600_000;

/** Milliseconds after which it is worth a line that something is still unknown. */
const UNKNOWN_MS = 60_000;

/** Says which upstream serves pulls, where pushes go, and what needs the operator. @param now epoch milliseconds */
export function headlineOf(input: HeadlineInput, now: number): Headline {
  const { ready, upstreams, routes, tagWarnings } = input;
  const troubles = new Map(
    upstreams.flatMap((upstream): [string, Trouble][] => {
      const trouble = troubleWith(upstream, now);
      return trouble === undefined ? [] : [[upstream.name, trouble]];
    }),
  );
  const served = routes.map((route) => servedBy(route, troubles));
  const gated = upstreams.filter((upstream) => upstream.pushes !== undefined);
  const silent = gated.flatMap((upstream) => unknownModeLine(upstream, now));
  const blind = withoutCanary(upstreams, routes);
  const unclear = unclearCredentialLines(upstreams, now);
  const down = new Set(upstreams.flatMap(({ name, state }) => (state === 'down' ? [name] : [])));
  const partial = upstreams.flatMap((upstream) => (troubles.has(upstream.name) ? [] : partialLines(upstream, now)));
  const copies = replicationNews(input.replication, (name) => down.has(name), now);
  const accounts = accountNews(upstreams, (iso) => clock(iso, now), now);
  const certificate = certificateNews(input.certificate, now);
  const peers = peerNews(input, (iso) => clock(iso, now), now);
  const lines = [
    ...stopLines(input, now),
    pullsLine(served, troubles),
    ...unusableFallbackLines(served, troubles),
    ...pushLines(gated, troubles, now),
    ...silent,
    ...partial,
    ...lostContentLines(upstreams, now),
    ...unseenContentLines(upstreams, now),
    ...canaryLines(blind),
    ...certificate.lines,
    ...accounts.lines,
    ...unclear,
    ...corruptCopyLines(upstreams),
    ...tagLines(tagWarnings, now),
    ...copies.lines,
    ...peers.lines,
  ];
  const failing = served.some(({ fails }) => fails);
  const degraded =
    !ready ||
    peers.degraded ||
    Boolean(input.stopping) ||
    copies.degraded ||
    certificate.degraded ||
    blind.length > 0 ||
    silent.length > 0 ||
    unclear.length > 0 ||
    troubles.size > 0 ||
    partial.length > 0 ||
    upstreams.some(({ lost, unseen }) => lost !== undefined || unseen !== undefined) ||
    accounts.degraded ||
    upstreams.some(({ corrupt }) => corrupt.count > 0) ||
    gated.some(({ pushes }) => pushes?.admitted === false);
  return { level: failing ? 'failing' : degraded ? 'degraded' : 'well', lines, text: lines.join(' ') };
}

function stopLines({ ready, stopping }: HeadlineInput, now: number): string[] {
  if (!stopping) return ready ? [] : ['This edge is starting or draining.'];
  const { stage, underWay, until } = stopping;
  const limit = `until ${clock(until, now)} at the latest`;
  if (stage !== 'holding')
    return [`This edge is stopping: it takes no new clients, and what is under way has ${limit}.`];
  const waits = underWay === 1 ? '1 request has' : `${underWay ?? 'all'} requests have`;
  return [`This edge is stopping: it keeps serving until ${waits} ended, ${limit}.`];
}

function servedBy(route: RouteSnapshot, troubles: Troubles): ServedRoute {
  const order = route.pull.map(({ upstream }) => upstream);
  const by = order.find((name) => !troubles.has(name));
  const skipped = by === undefined ? order : order.slice(0, order.indexOf(by));
  const kinds = skipped.map((name) => troubles.get(name)?.kind);
  if (by === undefined && !kinds.includes('unclear'))
    return { route, skipped, fails: true, pulls: 'may fail: no upstream is healthy, and each is still tried.' };
  const tried = [...skipped.filter((_, index) => kinds[index] !== 'out'), ...(by === undefined ? [] : [by])];
  const how = tried[0] === by ? 'served by' : 'tried on';
  return { route, skipped, fails: false, pulls: `are ${how} ${tried.join(' and ')}.` };
}

function pullsLine(served: readonly ServedRoute[], troubles: Troubles): string {
  // Routes whose pulls fail come first.
  const sorted = served.toSorted((one, other) => Number(other.fails) - Number(one.fails));
  const groups = [...Map.groupBy(sorted, ({ pulls }) => pulls)];
  const sentences = groups.map(([pulls, group]) =>
    groups.length === 1 ? `Pulls ${pulls}` : `Pulls of ${names(group.map(({ route }) => nameOf(route)))} ${pulls}`,
  );
  const skipped = new Set(served.flatMap((one) => one.skipped));
  return [...sentences, ...[...skipped].map((name) => `${troubles.get(name)?.text}.`)].join(' ');
}

/** Upstreams that serve no route now, and may be unable to take over. */
function unusableFallbackLines(served: readonly ServedRoute[], troubles: Troubles): string[] {
  const skipped = new Set(served.flatMap((one) => one.skipped));
  return [...troubles]
    .filter(([name]) => !skipped.has(name))
    .map(([, { text, kind }]) => `${text}, so it ${kind === 'out' ? 'cannot' : 'may be unable to'} take over.`);
}

function pushLines(gated: readonly UpstreamSnapshot[], troubles: Troubles, now: number): string[] {
  if (gated.length === 0) return ['Pushes are refused: every route is read-only.'];
  return gated.flatMap(({ name, pushes: gate }) => {
    if (!gate) return [];
    if (gate.mode === 'accepting') return [`Pushes ${troubles.has(name) ? 'are tried on' : 'go to'} ${name}.`];
    if (gate.mode === 'settling')
      return [`Pushes to ${name} are refused for a few more seconds: it has just recovered.`];
    // A reason that the line about pulls gives is not repeated.
    const why = troubles.get(name)?.text.includes(gate.reason) ? '' : ` (${gate.reason})`;
    return [`Pushes to ${name} have been refused since ${clock(gate.since, now)}${why}.`];
  });
}

/** What is wrong with single URLs of an upstream that serves, and with paths outside the registry API. */
function partialLines({ name, state, urls, pushes }: UpstreamSnapshot, now: number): string[] {
  return urls.flatMap(({ url, state: one, since, reason, breakers }) => {
    const open = Object.entries(breakers).flatMap(([traffic, breaker]) =>
      breaker === 'open' ? [TRAFFIC[traffic]] : [],
    );
    if (state === 'up' && one === 'down')
      return [`${url} of ${name} has been down since ${clock(since, now)} (${reason}), and ${name} serves without it.`];
    // A gate that refuses for this reason has a line of its own.
    const told = pushes?.admitted === false ? open.filter((what) => what !== TRAFFIC.push) : open;
    if (told.length === 0) return [];
    return [
      `${url} of ${name} passes its probes but fails ${told.join(' and ')} (breaker open). See its log, and the network between.`,
    ];
  });
}

const TRAFFIC: Record<string, string> = {
  control: 'reads of manifests',
  data: 'reads of blobs',
  push: 'pushes',
  passthrough: 'requests outside the registry API',
};

/** Harbor tells its users alone whether it is read-only, and its API may not answer (rule 10). */
function unknownModeLine({ name, state, accounts, modeUnknownSince: since }: UpstreamSnapshot, now: number): string[] {
  if (state !== 'up' || since === undefined || now - Date.parse(since) <= UNKNOWN_MS) return [];
  const hasAccount = accounts.some(({ role }) => role !== 'replication');
  const why = hasAccount
    ? 'its API does not tell. Pushes get its own answer'
    : `it tells its users only. Set upstreams.${name}.probe.credentials`;
  return [`It has not been known since ${clock(since, now)} whether ${name} is read-only, because ${why}.`];
}

/** Until the operator decides, tags are served as before, and the fallback is left as it is. */
function lostContentLines(upstreams: readonly UpstreamSnapshot[], now: number): string[] {
  return upstreams.flatMap(({ name, lost }) => {
    if (!lost) return [];
    const pushes = lost.pushes === 1 ? 'a push' : `${lost.pushes} pushes`;
    const images = names(lost.images, Math.max(lost.pushes, lost.images.length));
    return [
      `${name} has lost content: ${pushes} that it acknowledged since ${clock(lost.since, now)} cannot be found there (${images}). Tags are served as before, and nothing of it is copied over or deleted. Restore it, or run breakwater accept ${name}.`,
    ];
  });
}

/** Nothing looks for these pushes, so nothing is known of them (rule 10). */
function unseenContentLines(upstreams: readonly UpstreamSnapshot[], now: number): string[] {
  return upstreams.flatMap(({ name, unseen }) => {
    if (!unseen) return [];
    const { since, reader, repositories } = unseen;
    const add = `set upstreams.${name}.replication.credentials to those of an account that may pull everything`;
    if (reader === null)
      return [
        `If ${name} lost content, this would not be noticed, because this edge has no credentials to look for it. To change that, ${add}.`,
      ];
    const key = KEYS[reader];
    const or = reader === 'probe' ? `, or ${add}` : '';
    return [
      `It has not been known since ${clock(since, now)} whether ${name} still has what was pushed to ${names(repositories)}: the account of upstreams.${name}.${key} may not pull it. Give it that right${or}.`,
    ];
  });
}

/** Upstreams that take pushes or copies, so that the operator can give them a canary, and have none. */
function withoutCanary(upstreams: readonly UpstreamSnapshot[], routes: readonly RouteSnapshot[]): string[] {
  const copied = new Set(routes.flatMap(({ pull }) => pull.filter(({ replicate }) => replicate)).map(toName));
  return upstreams
    .filter(({ name, pushes, canaryImage }) => canaryImage === null && (pushes !== undefined || copied.has(name)))
    .map(({ name }) => name);
}

function toName({ upstream }: { upstream: string }): string {
  return upstream;
}

/** Without a canary, what is known of an upstream's storage is what clients happened to pull (rule 10). */
function canaryLines(blind: readonly string[]): string[] {
  if (blind.length === 0) return [];
  const have = blind.length === 1 ? 'has no canary' : 'have no canary';
  return [`${names(blind)} ${have}, so lost storage may go unnoticed. To make one, run: breakwater canary push`];
}

/** Accounts of which an upstream that is up has not told for a while whether it accepts them (rule 10). */
function unclearCredentialLines(upstreams: readonly UpstreamSnapshot[], now: number): string[] {
  return upstreams.flatMap(({ name, state, credentials, accounts }) => {
    const own = credentials?.state === 'unknown' ? [{ role: 'own' as const, ...credentials }] : [];
    const others = accounts.filter((account) => account.role !== 'own' && account.state === 'unknown');
    return [...own, ...others].flatMap(({ role, since = '', reason = '' }) =>
      state === 'up' && now - Date.parse(since) > UNKNOWN_MS
        ? [
            `It has not been known since ${clock(since, now)} whether ${name} accepts ${USES[role]} (${reason}). Run: breakwater check`,
          ]
        : [],
    );
  });
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

/** What is wrong with an upstream by the newest evidence: a probe, the canary or a request. Undefined: nothing. */
function troubleWith({ name, state, since, reason, urls }: UpstreamSnapshot, now: number): Trouble | undefined {
  if (state === 'down') {
    const recovering = urls.some(({ canary }) => canary === 'good') ? ' and is recovering' : '';
    return { kind: 'out', text: `${name} has been down since ${clock(since, now)} (${reason})${recovering}` };
  }
  const troubles = urls.filter((url) => url.state === state).map(urlTrouble);
  if (troubles.includes(undefined)) return undefined;
  const [mildest] = (['unclear', 'failing', 'out'] as const).flatMap(
    (kind) => troubles.find((trouble) => trouble?.kind === kind) ?? [],
  );
  return mildest && { ...mildest, text: `${name} ${mildest.text}` };
}

function urlTrouble({
  state,
  canary,
  proof,
  breakers,
  suspected,
  slow,
  restingUntil,
}: UrlSnapshot): Trouble | undefined {
  if (canary === 'failing') return { kind: 'failing', text: 'is failing right now (its canary cannot be read)' };
  // Without the seconds, because screen readers read the headline out whenever it changes.
  if (restingUntil !== null) return { kind: 'out', text: 'is rate-limited' };
  if (breakers.control === 'open' || breakers.data === 'open')
    return {
      kind: 'out',
      text: suspected
        ? 'fails requests (breaker open), and no probe has been good since'
        : 'passes its probes but fails real requests (breaker open)',
    };
  if (proof.state === 'unproven') return { kind: 'unclear', text: 'has shown no content yet' };
  if (slow) return { kind: 'unclear', text: 'is slow to answer' };
  if (suspected) return { kind: 'unclear', text: 'has failed a request, and no probe has been good since' };
  return state === 'unknown' ? { kind: 'unclear', text: 'has not been probed yet' } : undefined;
}

function nameOf(route: RouteSnapshot): string {
  if (route.registry !== undefined) return `${route.registry}/${route.prefix}`;
  return route.prefix === '' ? 'everything else' : route.prefix;
}

/** The time of day in UTC, with the date unless that is today. */
function clock(iso: string, now: number): string {
  const time = `${iso.slice(11, 16)} UTC`;
  return iso.slice(0, 10) === new Date(now).toISOString().slice(0, 10) ? time : `${iso.slice(0, 10)} ${time}`;
}
