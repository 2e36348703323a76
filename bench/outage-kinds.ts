import type { Registry } from '../test/helpers/registry.ts';

/** One way in which a real registry goes away and comes back. */
export interface OutageKind {
  name: string;
  /** Whether the registry keeps facts about blobs in memory; with them it says 200 to a blob that it then cannot read. */
  cache: boolean;
  begin(primary: Registry): unknown;
  end(primary: Registry): unknown;
}

export const OUTAGE_KINDS: readonly [OutageKind, ...OutageKind[]] = [
  { name: 'killed', cache: true, begin: (primary) => primary.kill(), end: (primary) => primary.start() },
  { name: 'frozen (SIGSTOP)', cache: true, begin: (primary) => primary.freeze(), end: (primary) => primary.thaw() },
  {
    name: 'storage hangs, /v2/ fine',
    cache: true,
    begin: ({ storage }) => storage.hang(),
    end: ({ storage }) => storage.unhang(),
  },
  {
    name: '500 on content, /v2/ fine',
    cache: false,
    begin: ({ storage }) => storage.fail(),
    end: ({ storage }) => storage.mend(),
  },
  {
    name: '500 on manifests, blobs 200 and cut at once',
    cache: true,
    begin: ({ storage }) => storage.fail(),
    end: ({ storage }) => storage.mend(),
  },
];
