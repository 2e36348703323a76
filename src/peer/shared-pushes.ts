import { z } from 'zod';
import type { Ledger } from '../ledger/ledger.ts';
import { pushKey } from '../ledger/push-log.ts';
import { isDigest, isRepository, isTag } from '../oci/reference.ts';
import { ChangedEntries } from './shared-store.ts';

/** Registry's identity, repository there, tag, digest, age, and for how long a loss of content had been known; null: none was. */
const entry = z.tuple([
  z.string().max(64),
  z.string().refine(isRepository),
  z.string().refine(isTag),
  z.string().refine(isDigest),
  z.number().min(0),
  z.number().min(0).nullable(),
]);

/** Shares the last acknowledged pushes between edges, so that each of them notices what a restore has lost. */
export class SharedPushes extends ChangedEntries<z.output<typeof entry>> {
  /**
   * @param registries name of each upstream -> its identity
   * @param observe moves the clock past a time; false: the time is implausible
   */
  constructor(ledger: Ledger, registries: () => ReadonlyMap<string, string>, observe: (at: number) => boolean) {
    super({
      name: 'pushes',
      entry,
      find: (key, now) => {
        const push = ledger.pushes.find(key);
        const registry = push && registries().get(push.upstream);
        if (!push || registry === undefined) return undefined;
        return [registry, push.repository, push.tag, push.digest, now - push.at, push.lossKnownFor ?? null];
      },
      merge: (entries, now, { doubt }) => {
        const named = Map.groupBy(registries(), ([, registry]) => registry);
        let news = 0;
        // The newest first: what this edge has read may be one of them, and then those before it are no newer.
        for (const [registry, repository, tag, digest, age, known] of entries.toSorted((a, b) => a[4] - b[4])) {
          const at = now - age;
          if (!observe(at)) continue;
          const lossKnownFor = known ?? undefined;
          const bounds = { earliest: at - doubt, latest: at + doubt };
          for (const [upstream] of named.get(registry) ?? [])
            if (ledger.hearPush({ upstream, repository, tag, digest, at, lossKnownFor }, bounds)) news += 1;
        }
        return news;
      },
    });
    ledger.pushes.onChange = (push) => this.record(pushKey(push));
  }
}
