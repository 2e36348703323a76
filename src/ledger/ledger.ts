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

/** Since the start. */
export interface LedgerCounts {
  seen: number;
  deleted: number;
  /** Entries of others that told something new. */
  merged: number;
  /** Not believed: no digest, or a time in the future. */
  refused: number;
  /** Tags that were forgotten because there were too many. */
  evicted: number;
  /** Tags that were forgotten because they had not been seen for long. */
  expired: number;
  judged: Record<TagVerdict, number>;
}

export interface LedgerOptions {
  /** Most tags that are remembered. */
  tags: number;
  /** Milliseconds that a tag is remembered after it was last seen. */
  keep: number;
  clock?: LedgerClock;
}

/**
 * What the edge knows of tags: the digest that the push upstream last showed, and what it was before. In memory, bounded, and empty at
 * the start; it is asked only when another upstream answers for a tag. All times are those of `now()`.
 */
export class Ledger {
  readonly #store: TagStore;
  readonly #clock: LedgerClock;
  readonly #counts = { seen: 0, deleted: 0, merged: 0, refused: 0 };
  /** Told of each entry that was noted, with its history before. */
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

  /** The time to give to an observation: of a read taken when its request begins, of a write when it is acknowledged. */
  now(): number {
    return this.#clock.now();
  }

  /** The upstream showed the tag at this digest, or acknowledged a push of it. */
  recordSeen(tag: UpstreamTag, digest: string, at: number): void {
    if (!this.#accepts({ digest, since: at, confirmedAt: at })) return;
    this.#counts.seen += 1;
    this.#update(tag, (history) => noteSeen(history, digest, at));
  }

  /** The same of a tag that nobody has asked for, of which there may be more than are remembered: one that is new only while there is room. */
  recordIfRoom(tag: UpstreamTag, digest: string, at: number): void {
    if (this.#store.hasRoom || this.find(tag)) this.recordSeen(tag, digest, at);
  }

  /** The upstream acknowledged that the tag was deleted. */
  recordDeleted(tag: UpstreamTag, at: number): void {
    if (!this.#accepts({ digest: null, since: at, confirmedAt: at })) return;
    this.#counts.deleted += 1;
    this.#update(tag, (history) => noteDeleted(history, at));
  }

  /** The upstream said, and is believed, that it has no such tag. Makes no entry: anybody may ask for tags that never were. */
  recordAbsent(tag: UpstreamTag, at: number): void {
    if (this.find(tag)) this.recordDeleted(tag, at);
  }

  /** The upstream acknowledged that the manifest was deleted, and with it every tag at that digest. */
  recordDigestDeleted(upstream: string, repository: string, digest: string, at: number): void {
    for (const key of this.#store.keysAt(upstream, repository, digest)) this.recordDeleted(parseTagKey(key), at);
  }

  /** What is known of a digest that another upstream shows for the tag. */
  judge(tag: UpstreamTag, digest: string): Judgement {
    const judgement = judge(this.find(tag), digest);
    this.#judged[judgement.verdict] += 1;
    return judgement;
  }

  find(tag: UpstreamTag): TagHistory | undefined {
    return this.#store.get(tagKey(tag));
  }

  /** Whether a tag of that repository is at this digest, so that the manifest must be there. */
  hasTagAt(upstream: string, repository: string, digest: string): boolean {
    return this.#store.keysAt(upstream, repository, digest).length > 0;
  }

  /** All that is known, those first that were noted least recently. */
  *entries(): Generator<LedgerEntry> {
    for (const key of this.#store.keys()) {
      const history = this.#store.get(key);
      if (history) yield { ...parseTagKey(key), history };
    }
  }

  /** Takes in what another node or replication knows, in any order and as often as one likes. */
  merge(entries: Iterable<LedgerEntry>): void {
    for (const { history, ...place } of entries) {
      if (!history.every((entry) => this.#accepts(entry))) continue;
      const known = this.find(place) ?? [];
      // What tells nothing new does not count as noted: else it would push out what this node needs itself.
      if (isSame(known, merge(known, history))) continue;
      if (this.#update(place, (mine) => merge(mine, history))) this.#counts.merged += 1;
    }
  }

  /** Forgets all of an upstream: under that name there is another registry now. */
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
