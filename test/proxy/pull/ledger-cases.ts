import { digestOf, type LedgerSite, type Policy, pathOf, push } from './ledger-site.ts';

export interface Case {
  says: string;
  /** Brings a tag of both registries, and of the ledger, to where the outage finds them. Returns the digest that a fallback has. */
  before(site: LedgerSite, image: string): Promise<{ shown: string; current?: string | undefined }>;
  verdict: string;
  /** By policy: `right` is the current digest, `shown` what the fallback has; with a warning or without. */
  expect: Record<Policy, 'right' | 'shown' | 'warned' | 'refused'>;
  warns?: RegExp;
}

const read = async ({ lab }: LedgerSite, image: string) => digestOf(await lab.edge.http1().ask(pathOf(image)));
const anyway = <T>(what: T): Record<Policy, T> => ({ refuse: what, warn: what, serve: what });

export const CASES: Case[] = [
  {
    says: 'as the push upstream last showed it',
    verdict: 'current',
    before: async (site, image) => {
      const { digest } = site.put('both', image, 1);
      await read(site, image);
      return { shown: digest };
    },
    expect: anyway('shown'),
  },
  {
    says: 'older, and the current one is there by its digest',
    verdict: 'stale',
    before: async (site, image) => {
      site.put('harbor', image, 1);
      await read(site, image);
      const { digest: current } = site.put('both', image, 2);
      await read(site, image);
      return { shown: site.put('gcr', image, 1).digest, current };
    },
    expect: { refuse: 'right', warn: 'right', serve: 'shown' },
  },
  {
    says: 'older, and the current one is nowhere',
    verdict: 'stale',
    before: async (site, image) => {
      const { digest } = site.put('both', image, 1);
      await read(site, image);
      site.put('harbor', image, 2);
      await read(site, image);
      return { shown: digest };
    },
    expect: { refuse: 'refused', warn: 'warned', serve: 'shown' },
    warns: /^tag 1 at gcr is sha256:\w+, older, replaced by \S+Z at the latest: harbor last showed sha256:\w+ at \S+Z$/,
  },
  {
    says: 'older, because a newer one was pushed through the edge',
    verdict: 'stale',
    before: async (site, image) => {
      const { digest } = site.put('both', image, 1);
      await read(site, image);
      const newer = site.put('harbor', image.replace(/:.*/, ':other'), 2);
      await push(site.lab.edge.http2(), image, newer.manifest);
      return { shown: digest };
    },
    expect: { refuse: 'refused', warn: 'warned', serve: 'shown' },
    warns: /older/,
  },
  {
    says: 'deleted through the edge',
    verdict: 'stale',
    before: async (site, image) => {
      const { digest } = site.put('both', image, 1);
      await site.lab.edge.http1().ask(pathOf(image), { method: 'DELETE' });
      return { shown: digest };
    },
    expect: { refuse: 'refused', warn: 'warned', serve: 'shown' },
    warns: /^tag 1 at gcr is sha256:\w+, deleted: harbor has not had the tag since \S+Z$/,
  },
  {
    says: 'deleted through the edge, by its digest',
    verdict: 'stale',
    before: async (site, image) => {
      const { digest } = site.put('both', image, 1);
      await read(site, image);
      await site.lab.edge.http1().ask(pathOf(`${image.replace(/:.*/, '')}@${digest}`), { method: 'DELETE' });
      return { shown: digest };
    },
    expect: { refuse: 'refused', warn: 'warned', serve: 'shown' },
    warns: /deleted/,
  },
  {
    says: 'deleted past the edge, which has heard of it',
    verdict: 'stale',
    before: async (site, image) => {
      const { digest } = site.put('both', image, 1);
      await read(site, image);
      const [repository = '', tag = ''] = image.split(':');
      site.harbor.store.repository(`inner/${repository}`).tags.delete(tag);
      await read(site, image);
      return { shown: digest };
    },
    expect: { refuse: 'refused', warn: 'warned', serve: 'shown' },
    warns: /has not had the tag since/,
  },
  {
    says: 'unknown: it may be newer',
    verdict: 'unknown',
    before: async (site, image) => {
      site.put('harbor', image, 1);
      await read(site, image);
      return { shown: site.put('gcr', image, 3).digest };
    },
    expect: { refuse: 'warned', warn: 'warned', serve: 'shown' },
    warns: /which harbor was not seen to have; it may be newer or older: harbor last showed/,
  },
  {
    says: 'unrecorded',
    verdict: 'unrecorded',
    before: async (site, image) => ({ shown: site.put('both', image, 1).digest }),
    expect: anyway('shown'),
  },
];
