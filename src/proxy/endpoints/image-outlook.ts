import type { ClockReading } from '../../clock/clock.ts';
import type { Route } from '../../failover/rewrite.ts';
import { authorityOf, decideTag } from '../../failover/stale-tag.ts';
import type { Judgement } from '../../failover/tag-history.ts';
import type { Unheard } from '../../failover/unheard.ts';
import type { ImageLook } from './image-looks.ts';

/** What follows from the answers of all upstreams, in words. */
export interface ImageOutlook {
  /** What a client gets now. */
  now: string;
  /** Whether the upstreams have the same. */
  digests: string;
  /** What a client would get if the authoritative upstream died now. */
  withoutPrimary: string;
}

export interface OutlookFacts {
  route: Route;
  reference: string;
  /** The upstreams in the order in which a pull asks them. */
  order: readonly string[];
  looks: readonly ImageLook[];
  /** The ledger's judgement of a digest. */
  judge: (digest: string) => Judgement;
  unheard: Unheard | undefined;
  /** What is said of content that the authority has lost. Undefined: it has lost none. */
  loss: string | undefined;
  clocks: ClockReading;
}

/** Only manifests were asked for, so nothing is said of blobs. */
export function outlookOf(facts: OutlookFacts): ImageOutlook {
  const { route, order } = facts;
  const primary = authorityOf(route)?.upstream;
  const others = order.filter((name) => name !== primary);
  return {
    now: replyFrom(facts, order, false),
    digests: comparison(facts.looks),
    withoutPrimary:
      others.length === 0
        ? `no other upstream is asked, so clients would get 503 without ${primary}`
        : replyFrom(facts, others, true),
  };
}

/** @param failed whether another upstream has failed before these were asked */
function replyFrom(facts: OutlookFacts, names: readonly string[], failed: boolean): string {
  const { route, looks } = facts;
  const before: string[] = [];
  for (const name of names) {
    const look = looks.find(({ upstream }) => upstream === name);
    if (look?.says === 'has') return [...before, served(facts, look, names)].join('; ');
    const isFinal = look?.confirmed && name === route.pull[0]?.upstream && route.onAbsent === 'stop';
    if (isFinal) return [...before, `clients get 404, because ${name} does not have it`].join('; ');
    if (look?.hidden) before.push(`${name} decides by the credentials of the client, which are not known here`);
    else if (look?.says === 'unknown') before.push(`${name} cannot be relied on: ${look.why}`);
  }
  const isAbsent = before.length === 0 && !failed;
  return [
    ...before,
    isAbsent ? 'clients get 404, because no upstream has it' : 'no other upstream has it, so clients get 503',
  ].join('; ');
}

function served(facts: OutlookFacts, { upstream, digest }: ImageLook, names: readonly string[]): string {
  const { route, reference, looks } = facts;
  const primary = authorityOf(route)?.upstream;
  const what = digest ?? 'a manifest whose digest it does not tell';
  if (upstream === primary || reference.includes(':')) return `${upstream} would serve ${what}`;
  const theirs = looks.find((look) => look.upstream === primary)?.digest;
  const differs =
    theirs !== undefined && digest !== undefined && theirs !== digest ? `, and not ${theirs} of ${primary}` : '';
  const decided = decisionOf(facts, upstream, what, false);
  if (decided.action !== 'ask-current') return `${sentence(decided, `${upstream} would serve ${what}`)}${differs}`;
  const asked = names.join(' and ');
  const otherwise = sentence(decisionOf(facts, upstream, what, true), `${upstream} would serve ${what}`);
  return `${asked} would be asked for ${decided.digest} by digest, which was not tried here; if that is not there, ${otherwise}${differs}`;
}

function decisionOf(facts: OutlookFacts, shownBy: string, digest: string, currentAsked: boolean) {
  const { route, reference, judge, unheard, loss, clocks } = facts;
  const authority = authorityOf(route)?.upstream ?? '';
  const shown = { tag: reference, digest, shownBy, authority, authorityIs: 'failed', policy: route.staleTags } as const;
  return decideTag({ ...shown, judgement: judge(digest), loss, unheard, currentAsked, now: clocks });
}

function sentence(decided: ReturnType<typeof decideTag>, serves: string): string {
  if (decided.action === 'refuse') return `clients would get 503, because ${decided.text}`;
  if (decided.action === 'serve-with-warning') return `${serves}, with a warning: ${decided.text}`;
  return serves;
}

function comparison(looks: readonly ImageLook[]): string {
  const having = looks.filter(({ says }) => says === 'has');
  const untold = having.filter(({ digest }) => digest === undefined).map(({ upstream }) => upstream);
  const unasked = looks.filter(({ says }) => says === 'unknown').map(({ upstream }) => upstream);
  const unknown = [...untold, ...unasked];
  const byDigest = Map.groupBy(
    having.filter(({ digest }) => digest !== undefined),
    ({ digest }) => digest,
  );
  const parts = [...byDigest].map(
    ([digest, of]) => `${of.map(({ upstream }) => upstream).join(' and ')} ${of.length > 1 ? 'have' : 'has'} ${digest}`,
  );
  const lead = byDigest.size > 1 ? ['the upstreams differ'] : [];
  const rest =
    unknown.length > 0 ? [`what ${unknown.join(' and ')} ${unknown.length > 1 ? 'have' : 'has'} is not known`] : [];
  return [...lead, ...parts, ...rest].join('; ') || 'no upstream has it';
}
