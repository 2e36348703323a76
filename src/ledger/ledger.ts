import {
  type Judgement,
  judge,
  merge,
  noteDeleted,
  noteSeen,
  type TagEntry,
  type TagHistory,
  type TagVerdict,
} from '../failover/tag-history.ts';
import { isDigest } from '../oci/reference.ts';
import { LedgerClock } from './ledger-clock.ts';
import { TagStore } from './tag-store.ts';
import { parseTagKey, tagKey, type UpstreamTag } from './upstream-tag.ts';

export interface LedgerEntry extends UpstreamTag {
  history: TagHistory;
}

/** Counts since the start. */
export interface LedgerCounts {
  seen: number;
  deleted: number;
  /** Entries of other edges that were new. */
  merged: number;
  /** Refused entries: no digest, or a time in the future. */
  refused: number;
  /** Tags that were dropped to make room. */
  evicted: number;
  /** Tags that were dropped because they had not been seen for long. */
  expired: number;
  judged: Record<TagVerdict, number>;
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
  readonly #counts = { seen: 0, deleted: 0, merged: 0, refused: 0 };
  /** Called with each new entry, and with the history before. */
  onChange: ((entry: LedgerEntry, before: TagHistory | undefined) => void) | undefined;
  readonly #judged: Record<TagVerdict, number> = { current: 0, stale: 0, unknown: 0, unrecorded: 0 };

  constructor({ tags, keep, clock = new LedgerClock() }: LedgerOptions) {
    this.#store = new TagStore(tags, keep);
    this.#clock = clock;
  }

  get size(): number {
    return this.#store.size;
  }

  get counts(): LedgerCounts {
    return { ...this.#counts, ...this.#store.counts, judged: { ...this.#judged } };
  }

  /** The time for an observation: of a read taken when its request begins, of a write when it is acknowledged. */
  now(): number {
    return this.#clock.now();
  }

  /** Records that the upstream showed the tag at this digest, or acknowledged a push of it. */
  recordSeen(tag: UpstreamTag, digest: string, at: number): void {
    if (!this.#accepts({ digest, since: at, confirmedAt: at })) return;
    this.#counts.seen += 1;
    this.#update(tag, (history) => noteSeen(history, digest, at));
  }

  /** Records a tag that no client has asked for. Such a tag never pushes out another one. */
  recordIfRoom(tag: UpstreamTag, digest: string, at: number): void {
    if (this.#store.hasRoom || this.find(tag)) this.recordSeen(tag, digest, at);
  }

  /** Records that the upstream acknowledged a deletion of the tag. */
  recordDeleted(tag: UpstreamTag, at: number): void {
    if (!this.#accepts({ digest: null, since: at, confirmedAt: at })) return;
    this.#counts.deleted += 1;
    this.#update(tag, (history) => noteDeleted(history, at));
  }

  /** Records that the upstream lacks the tag. Unknown tags get no entry, because clients may ask for any name. */
  recordAbsent(tag: UpstreamTag, at: number): void {
    if (this.find(tag)) this.recordDeleted(tag, at);
  }

  /** Records that the upstream acknowledged a deletion of the manifest, and so of every tag at that digest. */
  recordDigestDeleted(upstream: string, repository: string, digest: string, at: number): void {
    for (const key of this.#store.keysAt(upstream, repository, digest)) this.recordDeleted(parseTagKey(key), at);
  }

  /** Judges a digest that another upstream shows for the tag. */
  judge(tag: UpstreamTag, digest: string): Judgement {
    const judgement = judge(this.find(tag), digest);
    this.#judged[judgement.verdict] += 1;
    return judgement;
  }

  find(tag: UpstreamTag): TagHistory | undefined {
    return this.#store.get(tagKey(tag));
  }

  /** Whether a tag of the repository is at this digest, so that the manifest must exist. */
  hasTagAt(upstream: string, repository: string, digest: string): boolean {
    return this.#store.keysAt(upstream, repository, digest).length > 0;
  }

  /** All entries, the oldest update first. */
  *entries(): Generator<LedgerEntry> {
    for (const key of this.#store.keys()) {
      const history = this.#store.get(key);
      if (history) yield { ...parseTagKey(key), history };
    }
  }

  /** Merges entries of another edge or of replication, in any order and any number of times. */
  merge(entries: Iterable<LedgerEntry>): void {
    for (const { history, ...place } of entries) {
      if (!history.every((entry) => this.#accepts(entry))) continue;
      const known = this.find(place) ?? [];
      // An entry without news does not count as an update: it would push out tags that this edge needs.
      if (isSame(known, merge(known, history))) continue;
      if (this.#update(place, (mine) => merge(mine, history))) this.#counts.merged += 1;
    }
  }

  /** Forgets all tags of an upstream, because its name now means another registry. */
  forget(upstream: string): void {
    for (const key of this.#store.keys()) if (parseTagKey(key).upstream === upstream) this.#store.delete(key);
  }

  close(): void {
    this.#store.close();
  }

  #update(tag: UpstreamTag, change: (history: TagHistory | undefined) => TagHistory): boolean {
    const key = tagKey(tag);
    const before = this.#store.get(key);
    const history = change(before);
    const kept = this.#store.set(key, history);
    if (kept) this.onChange?.({ ...tag, history }, before);
    return kept;
  }

  #accepts({ digest, since, confirmedAt }: TagEntry): boolean {
    const inOrder = since >= 0 && since <= confirmedAt;
    const sound = (digest === null || isDigest(digest)) && inOrder && this.#clock.observe(confirmedAt);
    if (!sound) this.#counts.refused += 1;
    return sound;
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
