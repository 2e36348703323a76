import type { SinceStartFigures } from '../../status/since-start.ts';
import { certificateLine } from '../../status/snapshot/certificate-lines.ts';
import type { Snapshot } from '../../status/snapshot/snapshot.ts';
import type { UpstreamSnapshot, UrlSnapshot } from '../../status/snapshot/upstream-snapshot.ts';
import { ago, bytesText, countText, table, withShortDigests } from '../text-format.ts';
import { replicationLines } from './replication-text.ts';

/** Most lines of a list. `--json` has all of them. */
const MAX_LINES = 5;

/** The status for a terminal, the most important lines first. @param now epoch milliseconds */
export function statusText(snapshot: Snapshot, now: number): string {
  const since = (iso: string) => ago(now - Date.parse(iso));
  const { upstreams, stores } = snapshot;
  const { tags } = stores.ledger;
  const { kept, bytes } = stores.manifests;
  return [
    ...snapshot.headline.lines,
    '',
    `${snapshot.hostname}: ${snapshot.ready ? 'serving' : 'not ready'}, breakwater ${snapshot.version}, up ${since(snapshot.startedAt)}`,
    ...listenerLine(snapshot),
    table(upstreams.flatMap((upstream) => upstream.urls.map((url) => urlRow(upstream, url, since, now)))),
    ...upstreams.flatMap((upstream) => pushLine(upstream, since)),
    ...upstreams.flatMap((upstream) => credentialsLine(upstream, since)),
    ...upstreams.flatMap((upstream) => lostContentLine(upstream, since)),
    ...upstreams.flatMap(corruptCopyLine),
    ...replicationLines(snapshot.replication, now),
    'since the edge started:',
    ...countLines(snapshot.sinceStart),
    `in memory: ${countText(tags, 'tag')} in the ledger, ${countText(kept, 'manifest')} (${bytesText(bytes)})`,
    ...(snapshot.certificate ? [certificateLine(snapshot.certificate)] : []),
    ...vipLine(snapshot, since),
    ...peerLines(snapshot, since),
    ...unheardLines(snapshot, since),
    ...behindLines(snapshot, since),
    ...tagLines(snapshot, since),
    ...failoverLines(snapshot, since),
    '',
  ].join('\n');
}

type Since = (iso: string) => string;

/** Only where the edge listens in an unusual way. */
function listenerLine({ listeners = {} }: Snapshot): string[] {
  const isUsual = listeners.plain === undefined && !Object.values(listeners).some((text) => text.startsWith('unix:'));
  const list = Object.entries(listeners).map(([name, text]) => `${name} ${text}`);
  return isUsual ? [] : [`listens: ${list.join(', ')}`];
}

function urlRow(upstream: UpstreamSnapshot, url: UrlSnapshot, since: Since, now: number): string[] {
  return [
    '',
    upstream.name,
    url.state,
    `for ${since(url.since)}`,
    `canary ${url.canary}`,
    p95Text(url.firstByteP95Ms),
    url.url,
    `${url.reason}${troubleText(url, now)}`,
  ];
}

function troubleText({ breakers, proof, restingUntil, slow, suspected, waiting }: UrlSnapshot, now: number): string {
  const queue = waiting.data + waiting.control;
  const troubles = [
    ...(proof.state === 'unproven' ? [`no content seen yet: ${proof.reason}`] : []),
    ...Object.entries(breakers).flatMap(([name, state]) => (state === 'closed' ? [] : [`${name} breaker ${state}`])),
    ...(restingUntil ? [`rate-limited for ${Math.ceil((Date.parse(restingUntil) - now) / 1000)} s`] : []),
    ...(suspected ? [slow ? 'slow to answer' : 'requests failed since the last good probe'] : []),
    ...(queue > 0 ? [`${countText(queue, 'request')} queued`] : []),
  ];
  return troubles.length > 0 ? `  [${troubles.join(', ')}]` : '';
}

/** The p95 for blobs, and for all other requests. */
function p95Text({ data, control }: UrlSnapshot['firstByteP95Ms']): string {
  return data === null && control === null ? '' : `p95 ${msText(data)} / ${msText(control)} ms`;
}

function msText(ms: number | null): string {
  return ms === null ? '-' : String(Math.round(ms));
}

function pushLine({ name, pushes }: UpstreamSnapshot, since: Since): string[] {
  if (pushes === undefined) return [];
  const state = pushes.admitted ? 'admitted' : `refused for ${since(pushes.since)} (${pushes.reason})`;
  return [`pushes to ${name}: ${state}`];
}

function credentialsLine({ name, credentials, accounts }: UpstreamSnapshot, since: Since): string[] {
  const own =
    credentials === undefined || credentials.state === 'good'
      ? []
      : [`credentials for ${name}: ${credentials.state} for ${since(credentials.since)} (${credentials.reason})`];
  const others = accounts
    .filter(({ role, state }) => role !== 'own' && state !== 'good')
    .map(
      ({ role, username, state, since: at = '', reason = '' }) =>
        `credentials of the ${role} for ${name} (${username}): ${state} for ${since(at)} (${reason})`,
    );
  return [...own, ...others];
}

function lostContentLine({ name, lost, unseen }: UpstreamSnapshot, since: Since): string[] {
  const unknown = unseen ? [`content of ${name}: unknown for ${since(unseen.since)}${unseenText(unseen)}`] : [];
  if (!lost) return unknown;
  const { pushes, images } = lost;
  const noticed = `noticed ${since(lost.noticedAt)} ago`;
  return [
    `content of ${name}: lost what was pushed in the last ${since(lost.since)}, ${countText(pushes, 'push', 'pushes')} (${images.join(', ')}), ${noticed}; restore it, or run breakwater accept ${name}`,
    ...unknown,
  ];
}

function unseenText({ reader, repositories }: NonNullable<UpstreamSnapshot['unseen']>): string {
  if (reader === null) return ' (there are no credentials to look for it)';
  return ` in ${repositories.slice(0, MAX_LINES).join(', ')} (the ${reader} account may not read it)`;
}

function corruptCopyLine({ name, corrupt: { count, copies } }: UpstreamSnapshot): string[] {
  if (count === 0) return [];
  const shown = copies.slice(0, MAX_LINES).map(({ digest }) => `  ${digest}`);
  const more = count > shown.length ? [`  and ${count - shown.length} more`] : [];
  return [[`corrupt blobs on ${name}, to be repaired as docs/splicing.md says:`, ...shown, ...more].join('\n')];
}

function countLines({ hedges, splices, tags, verified }: SinceStartFigures): string[] {
  const { started, won, refused } = hedges;
  const { warned, replaced, refused: refusedTags } = tags;
  return [
    `  ${countText(started, 'hedged request')}${detailText({ won, 'over budget': refused })}`,
    `  ${countText(splices.done, 'download')} resumed on another upstream${detailText({ broken: splices.failed })}`,
    `  ${countText(verified.right + verified.wrong, 'blob')} verified${detailText({ corrupt: verified.wrong })}`,
    `  ${countText(warned, 'tag')} served with a warning${detailText({ 'replaced by the current one': replaced, refused: refusedTags })}`,
  ];
}

/** The counts above zero, in brackets. */
function detailText(counts: Record<string, number>): string {
  const shown = Object.entries(counts).filter(([, count]) => count > 0);
  return shown.length === 0
    ? ''
    : ` (${shown.map(([name, count]) => `${count.toLocaleString('en')} ${name}`).join(', ')})`;
}

function unheardLines({ unheard }: Snapshot, since: Since): string[] {
  const rows = unheard.map(({ peer, since: from, until }) => [
    '',
    peer,
    from === null ? 'from the start' : `from ${since(from)} ago`,
    until === null ? 'until now' : `until ${since(until)} ago`,
  ]);
  return section('pushes through other edges that may have been missed', rows);
}

function behindLines({ acknowledgements: { behind } }: Snapshot, since: Since): string[] {
  const rows = behind.map(({ peer, since: from }) => ['', peer, `for ${since(from)}`]);
  return section('other edges that replies to pushes do not wait for, because they do not acknowledge in time', rows);
}

function peerLines({ peers }: Snapshot, since: Since): string[] {
  const rows = peers.map(({ url, address, state, since: from, reason, release, clockAheadMs }) => [
    '',
    url,
    address ?? '-',
    state,
    `for ${since(from)}`,
    release === null ? '' : `breakwater ${release}`,
    clockText(clockAheadMs),
    reason,
  ]);
  return section('other edges', rows);
}

/** Differences below a second are as usual as they are harmless. */
function clockText(aheadMs: number | null): string {
  if (aheadMs === null || Math.abs(aheadMs) < 1000) return '';
  return `its clock ${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead' : 'behind'}`;
}

/** Only where there is another edge to leave it to. */
function vipLine({ vip, peers }: Snapshot, since: Since): string[] {
  if (!vip || peers.length === 0) return [];
  if (vip.eligible) return ['VIP: this node may hold it'];
  const to = vip.defersTo ? `, left to ${vip.defersTo.peer} for ${since(vip.defersTo.since)}` : '';
  return [`VIP: this node must not hold it: ${vip.reason}${to}`];
}

function tagLines({ tagWarnings }: Snapshot, since: Since): string[] {
  const rows = tagWarnings
    .slice(0, MAX_LINES)
    .map(({ at, repository, tag, text }) => ['', `${since(at)} ago`, `${repository}:${tag}`, withShortDigests(text)]);
  return section('tags served with a warning', rows);
}

function failoverLines({ failovers }: Snapshot, since: Since): string[] {
  if (failovers.length === 0) return ['no failover since the edge started'];
  const rows = failovers
    .slice(0, MAX_LINES)
    .map(({ at, repository, from, to, reason }) => ['', `${since(at)} ago`, repository, `${from} -> ${to}`, reason]);
  return section('recent failovers', rows);
}

function section(title: string, rows: string[][]): string[] {
  return rows.length === 0 ? [] : [`${title}:\n${table(rows)}`];
}
