import { z } from 'zod';
import { MAX_STATES, type TagHistory } from '../failover/tag-history.ts';
import type { Ledger, LedgerEntry } from '../ledger/ledger.ts';
import { parseTagKey, tagKey } from '../ledger/upstream-tag.ts';
import { isReference, isRepository } from '../oci/reference.ts';
import { ChangedEntries } from './shared-store.ts';

const digest = z.string().max(256).nullable();
/** Registry's identity, repository there, tag or digest of a deleted manifest, states as [digest, ages of `since` and `confirmedAt`]. */
const entry = z.tuple([
  z.string().max(64),
  z.string().refine(isRepository),
  z.string().max(256).refine(isReference),
  z.array(z.tuple([digest, z.number().min(0), z.number().min(0)])).max(MAX_STATES),
]);

/** An unchanged tag is told again at most once in so many milliseconds. */
const RENEWAL_MS = 60_000;

/**
 * Shares the ledger between edges. Entries name a registry by its identity, because the edges of a site take a new configuration one after
 * the other.
 */
export class SharedLedger extends ChangedEntries<z.output<typeof entry>> {
  /** @param registries name of each upstream -> its identity */
  constructor(ledger: Ledger, registries: () => ReadonlyMap<string, string>) {
    super({
      name: 'ledger',
      entry,
      find: (key, now) => {
        const tag = parseTagKey(key);
        const [registry, history] = [registries().get(tag.upstream), ledger.find(tag)];
        if (registry === undefined || !history) return undefined;
        const states = history.map(({ digest, since, confirmedAt }): [string | null, number, number] => [
          digest,
          now - since,
          now - confirmedAt,
        ]);
        return [registry, tag.repository, tag.tag, states];
      },
      merge: (entries, now, { doubt }) => {
        const named = Map.groupBy(registries(), ([, registry]) => registry);
        const mine = entries.flatMap(([registry, repository, tag, states]): LedgerEntry[] => {
          const history = states.map(([digest, since, confirmed]) => ({
            digest,
            since: now - since,
            confirmedAt: now - confirmed,
          }));
          return (named.get(registry) ?? []).map(([upstream]) => ({ upstream, repository, tag, history }));
        });
        return ledger.merge(mine, doubt);
      },
    });
    ledger.onChange = (changed, before) => {
      if (isNews(changed.history, before)) this.record(tagKey(changed));
    };
  }
}

function isNews(history: TagHistory, before: TagHistory | undefined): boolean {
  const minute = (states: TagHistory) => Math.floor((states[0]?.confirmedAt ?? 0) / RENEWAL_MS);
  if (!before || before.length !== history.length || minute(before) !== minute(history)) return true;
  return history.some(({ digest }, index) => digest !== before[index]?.digest);
}
