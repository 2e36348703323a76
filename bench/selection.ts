export const PARTS = [
  'blobs',
  'memory',
  'manifests',
  'coalescing',
  'tokens',
  'replication',
  'push-lag',
  'outages',
  'middle',
] as const;
export type Part = (typeof PARTS)[number];

/** Items of each part that can be run by themselves. */
export const ITEMS: Record<Part, readonly string[]> = {
  blobs: ['plain', 'always', 'never', 'tls'],
  memory: ['downloads', 'clients', 'readers'],
  manifests: ['tag', 'digest'],
  coalescing: ['tag', 'digest'],
  tokens: ['check', 'service'],
  replication: ['copy', 'compare'],
  'push-lag': ['image'],
  outages: [
    'killed',
    'frozen',
    'storage',
    'blobs',
    '500',
    '500-cut',
    '404',
    'trickle',
    'flapping',
    'one-of-three',
    'blackholed',
  ],
  middle: ['reset', 'stall'],
};

/** Items that stand for all in a short run. */
const SHORT_ITEMS: typeof ITEMS = {
  ...ITEMS,
  memory: ['downloads', 'clients'],
  outages: ['killed', 'one-of-three'],
  middle: ['reset'],
};

/** The parts and items named by `--only`. */
export class Selection {
  readonly #items: ReadonlyMap<Part, ReadonlySet<string>>;

  /** @param asked `PART` or `PART:ITEM`; empty for all @throws TypeError for an unknown name */
  constructor(asked: readonly string[], short: boolean) {
    const items = new Map<Part, Set<string>>();
    if (asked.length === 0) for (const part of PARTS) items.set(part, new Set((short ? SHORT_ITEMS : ITEMS)[part]));
    for (const text of asked) {
      const [name, item] = text.split(':');
      const part = PARTS.find((one) => one === name);
      if (!part) throw new TypeError(`--only ${text}: ${PARTS.join(', ')} are the parts`);
      if (item !== undefined && !ITEMS[part].includes(item))
        throw new TypeError(`--only ${text}: ${ITEMS[part].join(', ')} are the items of ${part}`);
      items.set(part, new Set([...(items.get(part) ?? []), ...(item === undefined ? ITEMS[part] : [item])]));
    }
    this.#items = items;
  }

  get parts(): Part[] {
    return PARTS.filter((part) => this.#items.has(part));
  }

  has(part: Part, item: string): boolean {
    return this.#items.get(part)?.has(item) ?? false;
  }

  /** The selected items of a part, in their order. */
  itemsOf(part: Part): string[] {
    return ITEMS[part].filter((item) => this.has(part, item));
  }
}
