import type { StandingPush } from '../../failover/lost-content.ts';
import { findRoute } from '../../failover/rewrite.ts';
import { tagKey, type UpstreamTag, upstreamTag } from '../../ledger/upstream-tag.ts';
import { OciError } from '../../oci/error.ts';
import { imageName } from '../../oci/reference.ts';
import type { AcceptedCopies } from '../../replication/replication-view.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import type { Uses } from '../proxy-context.ts';
import { splitImage } from './explain.ts';

/** What an upstream shows, as it was taken for true. Repositories have their names at the upstream. */
export interface Accepted {
  upstream: string;
  /** Tags that were read first; `digest` null: the upstream does not have the tag. */
  tags: { image: string; digest: string | null }[];
  /** Tags that could not be read. They are as before. */
  unread: string[];
  /** Further tags of the ledger, which are read now. */
  more: number;
  /** Tags whose copies on a fallback may be newer. They are copied now. */
  waiting: number;
  /** Such tags that wait further, because they were only counted. The next comparison names them. */
  unnamed: number;
  /** Whether content is still missed. */
  lost: boolean;
}

type AcceptContext = Uses<'coalescer' | 'ledger' | 'log' | 'looks' | 'names' | 'routes' | 'upstreams'>;

/** Tags that are read at once. */
const AT_ONCE = 8;

/** Tags whose copies on fallbacks may be newer, see `Replicator.acceptPrimary`. */
type AcceptCopies = (upstream: string, repository?: string, tag?: string) => AcceptedCopies;

/**
 * Takes what an upstream shows now for true (rule 9): writes it into the ledger, so that peers hear of it, and no pushes are missed any more.
 * @param what an upstream, or an image whose one tag is accepted
 * @throws OciError
 */
export async function accept(context: AcceptContext, what: string, acceptCopies: AcceptCopies): Promise<Accepted> {
  const { ledger, upstreams, log } = context;
  const named = upstreams.get(what);
  const image = named ? undefined : imageOf(context, what);
  const upstream = named ?? upstreams.get(image?.place.upstream ?? '');
  if (!upstream) throw new OciError('NAME_UNKNOWN', `no upstream ${what}`);
  const { name, content } = upstream;
  const first = image ? [image.place] : placesOf(ledger.standingPushes(name), name);
  const { tags, unread } = await write(context, upstream, first);
  if (unread.length > 0 && tags.length === 0)
    throw new OciError(
      'UNAVAILABLE',
      `${name} does not show ${unread.slice(0, 4).join(', ')} now; nothing was accepted, try again`,
    );
  const more = image ? [] : furtherTags(context, name, first);
  void write(context, upstream, more).then((rest) =>
    log.info(
      { upstream: name, tags: rest.tags.length, unread: rest.unread.length },
      'accepted the other tags of the ledger',
    ),
  );
  const { accepted: waiting, unnamed } = image
    ? acceptCopies(name, image.repository, image.place.tag)
    : acceptCopies(name);
  // What was restored or copied back is there.
  await content.recheck(0);
  // A tag may be at an older push again, or may show what was pushed, though storage has lost a part of it.
  const isMeant = ({ repository, tag }: StandingPush) =>
    !image || (repository === image.place.repository && tag === image.place.tag);
  for (const place of placesOf(content.missed.filter(isMeant), name)) {
    const digest = ledger.find(place)?.[0]?.digest;
    if (digest) ledger.recordAccepted(place, digest);
  }
  const noted = { upstream: name, accepted: what, tags: tags.length, unread, waiting, unnamed };
  log.warn(noted, 'accepted what the upstream shows');
  return { upstream: name, tags, unread, more: more.length, waiting, unnamed, lost: content.lost !== undefined };
}

function imageOf(context: AcceptContext, image: string): { repository: string; place: UpstreamTag } {
  const { registry, repository, reference } = splitImage(context, image);
  if (reference.includes(':'))
    throw new OciError('NAME_INVALID', `${image} is no tag; name one, such as library/app:1.2`);
  const route = findRoute(context.routes, registry, repository);
  const place = route && upstreamTag(route, repository, reference);
  // A name that was mistyped is neither.
  if (!place || !context.ledger.find(place))
    throw new OciError('NAME_UNKNOWN', `${image} is no upstream, and this edge knows no such tag`);
  return { repository, place };
}

/** The tags of pushes, each once. */
function placesOf(pushes: readonly StandingPush[], upstream: string): UpstreamTag[] {
  const places = pushes.map(({ repository, tag }) => ({ upstream, repository, tag }));
  return [...new Map(places.map((place) => [tagKey(place), place])).values()];
}

/** The other tags that the ledger has as ones that exist. */
function furtherTags({ ledger }: AcceptContext, upstream: string, read: readonly UpstreamTag[]): UpstreamTag[] {
  const keys = new Set(read.map(tagKey));
  return ledger
    .tagsOf(upstream)
    .filter((place) => !place.tag.includes(':') && !keys.has(tagKey(place)) && ledger.find(place)?.[0]?.digest != null);
}

/** Reads tags, and writes into the ledger what the upstream shows. Never rejects. */
async function write(
  context: AcceptContext,
  upstream: Upstream,
  places: readonly UpstreamTag[],
): Promise<Pick<Accepted, 'tags' | 'unread'>> {
  const result: Pick<Accepted, 'tags' | 'unread'> = { tags: [], unread: [] };
  const left = places.values();
  const worker = async () => {
    for (const place of left) {
      const image = imageName(place.repository, place.tag);
      const digest = await writeOne(context, upstream, place);
      if (digest === undefined) result.unread.push(image);
      else result.tags.push({ image, digest });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  context.coalescer.forget();
  return result;
}

async function writeOne(
  { ledger, looks }: AcceptContext,
  upstream: Upstream,
  place: UpstreamTag,
): Promise<string | null | undefined> {
  const url = upstream.view().replicas.find(({ state }) => state === 'up')?.url;
  if (url === undefined || !upstream.ownConnection(url)) return undefined;
  // Before the read: a push during it is newer.
  const [ended, began] = [ledger.now(), ledger.now()];
  const digest = await looks.digestAt(upstream, url, place);
  if (digest === undefined) return undefined;
  // Other edges must see that this one knew what was pushed.
  if (digest !== ledger.find(place)?.[0]?.digest) ledger.recordDeleted(place, ended);
  if (digest !== null) ledger.recordSeen(place, digest, began);
  return digest;
}
