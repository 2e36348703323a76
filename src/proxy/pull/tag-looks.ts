import { LRUCache } from 'lru-cache';
import { inBackground } from '../../http/background.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { tagKey, type UpstreamTag } from '../../ledger/upstream-tag.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { foundDigest, lookAtManifest } from './manifest-look.ts';

/** Where a look is noted, and the upstreams. */
interface Stores {
  ledger: Pick<Ledger, 'now' | 'recordShown'>;
  upstreams: ReadonlyMap<string, Upstream>;
}

/** The digest of the reference; null: the upstream does not have it; undefined: not known. */
type Seen = string | null | undefined;

/** Milliseconds for which a tag that was looked at is not looked at again because of clients. */
const EVERY_MS = 10_000;
/** Milliseconds for an answer. A client may be waiting. */
const LIMIT_MS = 2000;
const MAX_UNDER_WAY = 32;
const MAX_REMEMBERED = 10_000;

/**
 * The edge's own looks at tags: a HEAD that names every type of manifest. What a client gets for a tag depends on its Accept, and on what
 * the upstream shows to that client, so it is no evidence of where the tag is.
 */
export class TagLooks {
  readonly #underWay = new Map<string, Promise<Seen>>();
  readonly #lately = new LRUCache<string, true>({ maxSize: MAX_REMEMBERED, sizeCalculation: () => 1, ttl: EVERY_MS });
  /** Where a tag was when a narrow Accept got this digest for it. */
  readonly #narrowed = new LRUCache<string, string>({ maxSize: MAX_REMEMBERED, sizeCalculation: () => 1 });

  /** Notes that a client with a narrow Accept got a digest for a tag that a look then found at another one. */
  noteNarrowed(place: UpstreamTag, narrowed: string, digest: string): void {
    this.#narrowed.set(`${tagKey(place)}\n${narrowed}`, digest);
  }

  /** Whether a digest is what clients with a narrow Accept get while the tag is at another one. */
  isNarrowed(place: UpstreamTag, narrowed: string, digest: string): boolean {
    return this.#narrowed.get(`${tagKey(place)}\n${narrowed}`) === digest;
  }

  /**
   * Notes in the ledger what the authoritative upstream has, as the edge's own credentials show it. Without such credentials nothing is
   * noted. Returns at once.
   * @param again also if the tag was looked at just now
   */
  noteSoon({ ledger, upstreams }: Stores, place: UpstreamTag, again = false): void {
    const key = tagKey(place);
    const upstream = upstreams.get(place.upstream);
    if (!upstream || (!again && this.#lately.get(key))) return;
    const url = healthyUrl(upstream);
    if (url === undefined || !upstream.ownConnection(url)) return;
    this.#lately.set(key, true);
    const began = ledger.now();
    void inBackground('tag-look', async () => {
      const seen = await this.digestAt(upstream, url, place);
      if (seen !== undefined) await ledger.recordShown(place, seen, began);
    })();
  }

  /**
   * Asks an upstream where a tag is. Simultaneous questions share one look. Never rejects.
   * @param authorization the client's own, used only where the edge has no credentials of its own
   */
  async digestAt(upstream: Upstream, url: string, place: UpstreamTag, authorization?: string): Promise<Seen> {
    const own = upstream.ownConnection(url) !== undefined;
    const key = own ? tagKey(place) : `${tagKey(place)}\n${authorization ?? ''}`;
    const known = this.#underWay.get(key);
    if (known) return known;
    if (this.#underWay.size >= MAX_UNDER_WAY) return undefined;
    const looking = look(upstream, url, place, own ? undefined : authorization)
      .catch(() => undefined)
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, looking);
    return looking;
  }
}

async function look(upstream: Upstream, url: string, place: UpstreamTag, authorization?: string): Promise<Seen> {
  const ms = Math.min(upstream.config.deadlines.manifest, LIMIT_MS);
  const result = await lookAtManifest(upstream, url, place, { authorization, ms });
  if (result.outcome === 'absent') return upstream.ownConnection(url) && result.confirmed ? null : undefined;
  return result.outcome === 'served' ? foundDigest(place, result) : undefined;
}

function healthyUrl(upstream: Upstream): string | undefined {
  return upstream.view().replicas.find(({ state, suspected }) => state === 'up' && !suspected)?.url;
}
