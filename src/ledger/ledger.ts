import { heardHistory, heardPushAt, isToldAgain, type TimeBounds } from '../failover/heard-time.ts';
import { afterLoss, type ContentAnswer, type StandingPush, takesBack, untoldPush } from '../failover/lost-content.ts';
import { type Judgement, judge, merge, noteState, type TagEntry, type TagHistory } from '../failover/tag-history.ts';
import { isDigest } from '../oci/reference.ts';
import { LedgerClock } from './ledger-clock.ts';
import { type AcknowledgedPush, PushLog } from './push-log.ts';
import { TagStore } from './tag-store.ts';
import { parseTagKey, tagKey, type UpstreamTag } from './upstream-tag.ts';

export interface LedgerEntry extends UpstreamTag {
  history: TagHistory;
}

export interface LedgerOptions {
  /** Most tags that are kept. */
  tags: number;
  /** Milliseconds for which a tag is kept after it was last seen. */
  keep: number;
  clock?: LedgerClock;
}

/**
 * The history of tags at the push upstreams: the digest last shown, and those before. In memory, bounded, and empty at the start. The
 * ledger is read only when another upstream answers for a tag. All times are those of `now()`.
 */
export class Ledger {
  readonly #store: TagStore;
  readonly #clock: LedgerClock;
  /** Called with each new entry, and with the history before. */
  onChange: ((entry: LedgerEntry, before: TagHistory | undefined) => void) | undefined;
  /** How often a tag that was known was moved, deleted or disputed. An answer from before that may be outdated. */
  moves = 0;
  /** The last pushes that upstreams acknowledged. */
  readonly pushes = new PushLog();
  /** Entries of other edges that are set aside until it is known whether the upstream still has a push, by tag. See `untoldPush`. */
  readonly #disputed = new Map<string, { pushed: string; entry: LedgerEntry }>();
  /** Those of which nothing was asked yet. */
  #unsettled: UpstreamTag[] = [];
  /** Asks whether an upstream is believed that takes back a tag (rule 9). */
  askContent: (upstream: string) => ContentAnswer | undefined = () => undefined;

  constructor({ tags, keep, clock = new LedgerClock() }: LedgerOptions) {
    this.#store = new TagStore(tags, keep, clock.monotonic);
    this.#clock = clock;
  }

  get size(): number {
    return this.#store.size;
  }

  /** Tags that were dropped to make room, since the start. */
  get evicted(): number {
    return this.#store.evicted;
  }

  /** The time for an observation: of a read taken when its request begins, of a write when it is acknowledged. */
  now(): number {
    return this.#clock.now();
  }

  /** Records that the upstream showed the tag at this digest, or acknowledged a push of it. */
  recordSeen(tag: UpstreamTag, digest: string, at: number): void {
    this.#record(tag, digest, at);
    if (tag.tag !== digest) this.recordManifestSeen(tag, digest, at);
  }

  /** Records that the upstream showed a manifest by its digest, or acknowledged a push of it. Of interest only after it was deleted. */
  recordManifestSeen({ upstream, repository }: Omit<UpstreamTag, 'tag'>, digest: string, at: number): void {
    const manifest = { upstream, repository, tag: digest };
    if (this.find(manifest)) this.#record(manifest, digest, at);
  }

  /**
   * Records that the upstream acknowledged a push of the tag.
   * @param lossKnownFor milliseconds for which the upstream has been known to have lost content; undefined: it is not known to
   */
  recordPushed(tag: UpstreamTag, digest: string, at: number, lossKnownFor?: number): void {
    // A push again of what was pushed last is no new content, which a restore would lose.
    const isNew = lossKnownFor !== undefined || this.find(tag)?.[0]?.digest !== digest || !this.pushes.has(tag, digest);
    this.#disputed.delete(tagKey(tag));
    this.recordSeen(tag, digest, at);
    if (isNew) this.pushes.add({ ...tag, digest, at, lossKnownFor });
  }

  /** Whether an upstream that shows this digest of the tag, or null for none, takes back what it had. */
  takesBack(tag: UpstreamTag, digest: string | null, at: number): boolean {
    const disputed = this.#disputed.get(tagKey(tag));
    if (disputed) return digest !== disputed.pushed;
    const history = this.find(tag);
    const known = history?.[0]?.digest;
    return takesBack(history, digest, at, known != null && this.pushes.has(tag, known));
  }

  /**
   * Records what the upstream shows of a tag, unless the upstream takes back what it had because it has lost content. Where that cannot be
   * told soon, the upstream is not believed yet, and what it shows is recorded once a slow look has found that its content is there.
   * @param digest null: the upstream does not have the tag
   * @returns whether the upstream is believed
   */
  async recordShown(tag: UpstreamTag, digest: string | null, at: number): Promise<boolean> {
    const record = () => (digest === null ? this.recordAbsent(tag, at) : this.recordSeen(tag, digest, at));
    if (this.#disputed.has(tagKey(tag))) void this.#settle(tag);
    const asked = this.takesBack(tag, digest, at) ? this.askContent(tag.upstream) : undefined;
    if (!asked) {
      record();
      return true;
    }
    const trust = await asked.soon;
    if (trust === 'believed') record();
    if (trust === 'unclear') void asked.last.then((last) => last === 'believed' && record());
    return trust === 'believed';
  }

  /**
   * The last acknowledged pushes of an upstream, newest first, without those that its own word has superseded: the tag was deleted, moved, or
   * accepted as it is.
   */
  standingPushes(upstream: string): StandingPush[] {
    const newest = new Map<string, AcknowledgedPush>();
    const pushes = this.pushes.of(upstream);
    const isAfterLoss = afterLoss(pushes);
    return pushes.flatMap((push) => {
      const key = tagKey(push);
      const history = this.find(push) ?? [];
      const last = newest.get(key);
      // A tag that was deleted and is there again is what the upstream shows, and no longer what was pushed.
      const wasDeleted = history.some(({ digest, confirmedAt }) => digest === null && confirmedAt > push.at);
      const isDisputed = this.#disputed.get(key)?.pushed === push.digest;
      const isShown = history[0]?.digest === push.digest && !wasDeleted;
      if ((isShown || isDisputed) && !last) newest.set(key, push);
      const isCurrent = newest.get(key) === push;
      // A later push through an edge explains why the tag is elsewhere. A push after a loss has taken the place of what was lost.
      const isOverwritten = last !== undefined && (!isAfterLoss(last) || isAfterLoss(push));
      const isGone = this.isDeleted({ ...push, tag: push.digest });
      return (isCurrent || isOverwritten) && !isGone
        ? [{ ...push, overwritten: !isCurrent, afterLoss: isAfterLoss(push) }]
        : [];
    });
  }

  /** Records that a tag is taken as the upstream shows it: what was pushed to it is missed no longer, even if the digest is the same. */
  recordAccepted(tag: UpstreamTag, digest: string): void {
    this.recordDeleted(tag, this.now());
    this.recordSeen(tag, digest, this.now());
  }

  /** Records a tag that no client has asked for. Such a tag never pushes out another one. */
  recordIfRoom(tag: UpstreamTag, digest: string, at: number): void {
    if (this.#store.hasRoom || this.find(tag)) this.recordSeen(tag, digest, at);
  }

  /** Records that the upstream acknowledged a deletion of the tag. */
  recordDeleted(tag: UpstreamTag, at: number): void {
    this.#disputed.delete(tagKey(tag));
    this.#record(tag, null, at);
  }

  /** Records that the upstream lacks the tag. Unknown tags get no entry, because clients may ask for any name. */
  recordAbsent(tag: UpstreamTag, at: number): void {
    if (this.find(tag)) this.recordDeleted(tag, at);
  }

  /**
   * Records that the upstream acknowledged a deletion of the manifest, and so of every tag at that digest.
   * @returns these tags, and the digest itself
   */
  recordDigestDeleted(upstream: string, repository: string, digest: string, at: number): UpstreamTag[] {
    const manifest = { upstream, repository, tag: digest };
    const keys = new Set([...this.#store.keysAt(upstream, repository, digest), tagKey(manifest)]);
    const deleted = [...keys].map(parseTagKey);
    for (const tag of deleted) this.recordDeleted(tag, at);
    return deleted;
  }

  /** Whether the upstream does not have the tag, or the manifest, any more. */
  isDeleted(tag: UpstreamTag): boolean {
    return this.find(tag)?.[0]?.digest === null;
  }

  /** Judges a digest that another upstream shows for the tag. A manifest that was deleted is stale under every tag. */
  judge(tag: UpstreamTag, digest: string): Judgement {
    const disputed = this.#disputed.get(tagKey(tag));
    const history = disputed ? merge(this.find(tag), disputed.entry.history) : this.find(tag);
    const judgement = judge(history, digest);
    const manifest = { ...tag, tag: digest };
    if (judgement.verdict === 'current' || judgement.verdict === 'stale' || !this.isDeleted(manifest)) return judgement;
    return judge(this.find(manifest), digest);
  }

  find(tag: UpstreamTag): TagHistory | undefined {
    return this.#store.get(tagKey(tag));
  }

  /** Whether a tag of the repository is at this digest, so that the manifest must exist. */
  hasTagAt(upstream: string, repository: string, digest: string): boolean {
    return this.#store.keysAt(upstream, repository, digest).length > 0;
  }

  /**
   * Merges entries of another edge, in any order and any number of times. Its pushes must be known before.
   * @param doubt milliseconds by which their times may have been earlier
   * @returns how many were new
   */
  merge(entries: Iterable<LedgerEntry>, doubt = 0): number {
    let news = 0;
    for (const { history: told, ...place } of entries) {
      if (!told.every((state) => this.#accepts(state))) continue;
      const known = this.find(place) ?? [];
      const history = heardHistory(told, known, doubt, this.#pushTimes(place));
      const entry = { ...place, history };
      this.#contradict(place, told, doubt);
      // An entry without news does not count as an update: it would push out tags that this edge needs.
      if (isSame(known, merge(known, history))) continue;
      if (!this.#setAside(entry) && this.#merge(entry)) news += 1;
    }
    for (const place of this.#unsettled.splice(0)) void this.#settle(place);
    return news;
  }

  /** Tells the other edge what was seen since: it lacks this, because repetitions are not told at once. */
  #contradict(place: UpstreamTag, [told]: TagHistory, doubt: number): void {
    const history = this.find(place);
    const [newest] = history ?? [];
    if (!history || !newest || !told || newest.digest === told.digest) return;
    // With less than twice the doubt, two edges could contradict each other for ever.
    if (newest.confirmedAt - told.confirmedAt > 2 * doubt) this.onChange?.({ ...place, history }, undefined);
  }

  /**
   * Takes a push that another edge acknowledged. Called before what that edge knows of tags is merged.
   * @param bounds of the push's time
   * @returns whether it was news
   */
  hearPush(push: AcknowledgedPush, bounds: TimeBounds = { earliest: push.at, latest: push.at }): boolean {
    if (isToldAgain(push.digest, bounds.earliest, this.pushes.ofTag(push))) return false;
    const { upstream, repository, tag, digest } = push;
    const at = heardPushAt(push, bounds, this.find(push) ?? [], this.#pushTimes(push));
    const isNews = this.#clock.observe(at) && this.pushes.add({ ...push, at });
    if (isNews) this.#setAside({ upstream, repository, tag, history: [{ digest, since: at, confirmedAt: at }] });
    return isNews;
  }

  /** @returns whether an entry must wait, see `untoldPush`. Only those of pushes that are still known do, so there are few */
  #setAside(entry: LedgerEntry): boolean {
    const pushed = untoldPush(this.find(entry) ?? [], entry.history, this.#pushTimes(entry));
    if (pushed === undefined) return false;
    for (const [key, one] of this.#disputed)
      if (!this.pushes.has(parseTagKey(key), one.pushed)) this.#disputed.delete(key);
    this.#disputed.set(tagKey(entry), { pushed, entry });
    this.moves += 1;
    this.#unsettled.push(entry);
    return true;
  }

  /** When pushes of a tag were acknowledged, by digest. */
  #pushTimes(tag: UpstreamTag): (digest: string) => number | undefined {
    const pushes = this.pushes.ofTag(tag);
    return (digest) => pushes.find((push) => push.digest === digest)?.at;
  }

  #merge({ history, ...place }: LedgerEntry): boolean {
    this.#disputed.delete(tagKey(place));
    return this.#update(place, (mine) => merge(mine, history));
  }

  /** Takes an entry that was set aside, unless the upstream has lost content: then the tag is where it was pushed to, for all edges. */
  async #settle(tag: UpstreamTag): Promise<void> {
    const trust = await (this.askContent(tag.upstream)?.last ?? 'believed');
    const disputed = this.#disputed.get(tagKey(tag));
    if (!disputed || trust === 'unclear') return;
    if (trust === 'believed') this.#merge(disputed.entry);
    else this.recordSeen(tag, disputed.pushed, this.now());
    this.#disputed.delete(tagKey(tag));
  }

  /** The tags of an upstream, the oldest update first. */
  tagsOf(upstream: string): UpstreamTag[] {
    return this.#store
      .keys()
      .map(parseTagKey)
      .filter((tag) => tag.upstream === upstream);
  }

  /** Forgets all tags of an upstream, because its name now means another registry. */
  forget(upstream: string): void {
    for (const tag of this.tagsOf(upstream)) this.#store.delete(tagKey(tag));
    this.pushes.forget(upstream);
    for (const key of this.#disputed.keys()) if (parseTagKey(key).upstream === upstream) this.#disputed.delete(key);
  }

  close(): void {
    this.#store.close();
  }

  #record(tag: UpstreamTag, digest: string | null, at: number): void {
    if (this.#accepts({ digest, since: at, confirmedAt: at }))
      this.#update(tag, (known) => noteState(known, digest, at));
  }

  #update(tag: UpstreamTag, change: (history: TagHistory | undefined) => TagHistory): boolean {
    const key = tagKey(tag);
    const before = this.#store.get(key);
    const history = change(before);
    const kept = this.#store.set(key, history);
    if (kept && before && before[0]?.digest !== history[0]?.digest) this.moves += 1;
    if (kept) this.onChange?.({ ...tag, history }, before);
    return kept;
  }

  #accepts({ digest, since, confirmedAt }: TagEntry): boolean {
    const inOrder = since >= 0 && since <= confirmedAt;
    return (digest === null || isDigest(digest)) && inOrder && this.#clock.observe(confirmedAt);
  }
}

function isSame(a: TagHistory, b: TagHistory): boolean {
  return (
    a.length === b.length &&
    a.every(({ digest, since, confirmedAt }, index) => {
      const other = b[index];
      return other?.digest === digest && other.since === since && other.confirmedAt === confirmedAt;
    })
  );
}
