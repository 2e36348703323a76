import { z } from 'zod';
import { MAX_STATES, type TagHistory } from '../failover/tag-history.ts';
import type { Ledger, LedgerEntry } from '../ledger/ledger.ts';
import { parseTagKey, tagKey } from '../ledger/upstream-tag.ts';
import { isRepository, isTag } from '../oci/reference.ts';
import { ChangeLog } from './change-log.ts';
import type { SharedStore } from './shared-store.ts';

const digest = z.string().max(256).nullable();
/** Identity of the registry, repository there, tag, states as [digest, since, confirmedAt]. */
const entrySchema = z.tuple([
  z.string().max(64),
  z.string().refine(isRepository),
  z.string().refine(isTag),
  z.array(z.tuple([digest, z.number().min(0), z.number().min(0)])).max(MAX_STATES),
]);
const entriesSchema = z.array(entrySchema);

/** An unchanged tag is told again at most once in so many milliseconds. */
const RENEWAL_MS = 60_000;

/**
 * Shares the ledger between edges. Entries name a registry by its identity, because the edges of a site take a new configuration one after
 * the other.
 */
export class SharedLedger implements SharedStore {
  readonly name = 'ledger';
  readonly #ledger: Ledger;
  readonly #registries: () => ReadonlyMap<string, string>;
  readonly #log: ChangeLog;

  /** @param registries name of each upstream -> its identity */
  constructor(ledger: Ledger, registries: () => ReadonlyMap<string, string>) {
    this.#ledger = ledger;
    this.#registries = registries;
    this.#log = new ChangeLog((key) => ledger.find(parseTagKey(key)) !== undefined);
    ledger.onChange = (entry, before) => {
      if (isNews(entry.history, before)) this.#log.record(tagKey(entry));
    };
  }

  get head(): number {
    return this.#log.head;
  }

  since(version: number, max: number): { entries: unknown[]; next: number } {
    const registries = this.#registries();
    const { keys, next } = this.#log.since(version, max);
    const entries = keys.flatMap((key): z.input<typeof entrySchema>[] => {
      const { upstream, repository, tag } = parseTagKey(key);
      const [registry, history] = [registries.get(upstream), this.#ledger.find({ upstream, repository, tag })];
      if (registry === undefined || !history) return [];
      return [[registry, repository, tag, history.map((state) => [state.digest, state.since, state.confirmedAt])]];
    });
    return { entries, next };
  }

  merge(entries: readonly unknown[]): number | undefined {
    const read = entriesSchema.safeParse(entries);
    if (!read.success) return undefined;
    const named = Map.groupBy(this.#registries(), ([, registry]) => registry);
    const mine = read.data.flatMap(([registry, repository, tag, states]): LedgerEntry[] => {
      const history = states.map(([digest, since, confirmedAt]) => ({ digest, since, confirmedAt }));
      return (named.get(registry) ?? []).map(([upstream]) => ({ upstream, repository, tag, history }));
    });
    const before = this.#ledger.counts.merged;
    this.#ledger.merge(mine);
    return this.#ledger.counts.merged - before;
  }
}

function isNews(history: TagHistory, before: TagHistory | undefined): boolean {
  const minute = (states: TagHistory) => Math.floor((states[0]?.confirmedAt ?? 0) / RENEWAL_MS);
  if (!before || before.length !== history.length || minute(before) !== minute(history)) return true;
  return history.some(({ digest }, index) => digest !== before[index]?.digest);
}
