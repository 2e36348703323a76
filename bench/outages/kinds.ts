import type { OutageSite } from './site.ts';

/** One way in which a real registry goes away and comes back. */
export interface OutageKind {
  /** As `--only outages:ITEM` has it. */
  item: string;
  name: string;
  /** Whether the registry keeps facts about blobs in memory; with them it says 200 to a blob that it then cannot read. */
  cache: boolean;
  begin(site: OutageSite): unknown;
  end(site: OutageSite): unknown;
  /** The longest time without a good pull that the edge may have, in seconds. */
  gap?: number;
}

const HANG_GAP = 0.6;
const REFUSE_GAP = 0.2;

export const OUTAGE_KINDS: readonly OutageKind[] = [
  {
    item: 'killed',
    name: 'killed',
    cache: true,
    begin: ({ primary }) => primary.kill(),
    end: ({ primary }) => primary.start(),
    gap: REFUSE_GAP,
  },
  {
    item: 'frozen',
    name: 'frozen (SIGSTOP)',
    cache: true,
    begin: ({ primary }) => primary.freeze(),
    end: ({ primary }) => primary.thaw(),
    gap: HANG_GAP,
  },
  {
    item: 'storage',
    name: 'storage hangs, /v2/ fine',
    cache: true,
    begin: ({ primary }) => primary.storage.hang(),
    end: ({ primary }) => primary.storage.unhang(),
    gap: HANG_GAP,
  },
  {
    item: '500',
    name: '500 on content, /v2/ fine',
    cache: false,
    begin: ({ primary }) => primary.storage.fail(),
    end: ({ primary }) => primary.storage.mend(),
    gap: REFUSE_GAP,
  },
  {
    item: '500-cut',
    name: '500 on manifests, blobs 200 and cut at once',
    cache: true,
    begin: ({ primary }) => primary.storage.fail(),
    end: ({ primary }) => primary.storage.mend(),
    gap: REFUSE_GAP,
  },
  {
    item: '404',
    name: '404 on content, /v2/ fine',
    cache: false,
    begin: ({ primary }) => primary.storage.moveAway(),
    end: ({ primary }) => primary.storage.moveBack(),
  },
];
