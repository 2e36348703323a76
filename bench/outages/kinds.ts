import type { FaultProxy } from '../upstreams/fault-proxy.ts';
import { Flapping } from './flapping.ts';
import { HungBlobs } from './hung-blobs.ts';
import type { OutageSite } from './site.ts';

/** Ends the outage. */
type Undo = () => unknown;

/** One way in which a real registry fails and recovers. */
export interface OutageKind {
  /** The name in `--only outages:ITEM`. */
  item: string;
  name: string;
  /** The registry keeps no blob descriptors in memory. With them it answers 200 for a blob that it cannot read. */
  forgetful?: boolean;
  /** The proxies reach the primary through a fault proxy. */
  lined?: boolean;
  begin(site: OutageSite): Undo | Promise<Undo>;
  /** The longest time without a good pull that the edge may have, in seconds. */
  gap?: number;
}

const HANG_GAP = 0.6;
const REFUSE_GAP = 0.2;
const FLAP_MS = 2000;
const QUICK_FLAP_MS = 500;
/** Bytes a second. */
const TRICKLE = 200;

const failing: OutageKind['begin'] = async ({ primary: { storage } }) => {
  await storage.fail();
  return () => storage.mend();
};

export const OUTAGE_KINDS: readonly OutageKind[] = [
  {
    item: 'killed',
    name: 'killed',
    begin: async ({ primary }) => {
      await primary.kill();
      return () => primary.start();
    },
    gap: REFUSE_GAP,
  },
  {
    item: 'frozen',
    name: 'frozen (SIGSTOP)',
    begin: ({ primary }) => {
      primary.freeze();
      return () => primary.thaw();
    },
    gap: HANG_GAP,
  },
  {
    item: 'storage',
    name: 'storage hangs, /v2/ fine',
    begin: async ({ primary: { storage } }) => {
      await storage.hang();
      return () => storage.unhang();
    },
    gap: HANG_GAP,
  },
  {
    item: 'blobs',
    name: 'blobs hang, manifests fine',
    begin: async ({ primary: { storage }, image, canary }) => {
      const blobs = [...image.blobs, ...canary.blobs].map(({ digest }) => digest);
      const hung = await HungBlobs.hang(storage.root, blobs);
      return () => hung.release();
    },
    gap: HANG_GAP,
  },
  { item: '500', name: '500 on content, /v2/ fine', forgetful: true, begin: failing, gap: REFUSE_GAP },
  { item: '500-cut', name: '500 on manifests, blobs cut at once', begin: failing, gap: REFUSE_GAP },
  {
    item: '404',
    name: '404 on content, /v2/ fine',
    forgetful: true,
    begin: async ({ primary: { storage } }) => {
      await storage.moveAway();
      return () => storage.moveBack();
    },
  },
  { item: 'trickle', name: `bodies at ${TRICKLE} bytes/s`, lined: true, begin: spoiled({ trickle: TRICKLE }) },
  {
    item: 'flapping',
    name: 'flapping (killed, started, …)',
    begin: ({ owner, primary, quick }) => {
      const flapping = new Flapping(owner, primary, quick ? QUICK_FLAP_MS : FLAP_MS);
      return () => flapping.stop();
    },
  },
  { item: 'one-of-three', name: '500 for one request of three', lined: true, begin: spoiled({ failEvery: 3 }) },
  {
    item: 'blackholed',
    name: 'blackholed',
    lined: true,
    begin: async (site) => {
      const faultProxy = lineOf(site);
      await faultProxy.swallow();
      return () => faultProxy.unswallow();
    },
  },
];

function spoiled(faults: Parameters<FaultProxy['set']>[0]): OutageKind['begin'] {
  return async (site) => {
    const faultProxy = lineOf(site);
    await faultProxy.set(faults);
    return () => faultProxy.set({});
  };
}

function lineOf({ faultProxy }: OutageSite): FaultProxy {
  if (!faultProxy) throw new Error('this outage needs a line before the primary');
  return faultProxy;
}
