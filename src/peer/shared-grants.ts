import { z } from 'zod';
import type { Grants } from '../auth/grants.ts';
import { ChangedEntries } from './shared-store.ts';

const MAX_NAME = 512;
/** Holder, repository, age, whether granted. */
const entry = z.tuple([
  z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
  z
    .string()
    .max(MAX_NAME)
    .regex(/^[^\n]*$/),
  z.number().min(0),
  z.boolean(),
]);

/** The part of `auth.remember` after which a renewed grant is told again. */
const RENEWAL_SHARE = 20;
const MAX_RENEWAL_MS = 60_000;

/** Shares the authority's decisions between edges. */
export class SharedGrants extends ChangedEntries<z.output<typeof entry>> {
  constructor(grants: Grants) {
    super({
      name: 'grants',
      entry,
      find: (key, now) => {
        const [holder = '', repository = ''] = key.split('\n');
        const known = grants.find(holder, repository);
        return known && [holder, repository, now - known.at, known.granted];
      },
      // Times of another process are known to a round trip. A refusal that came after a grant must never seem to have come before it.
      merge: (entries, _now, { earliest, latest }) =>
        grants.merge(
          entries.map(([holder, repository, age, granted]) => {
            const at = (granted ? earliest : latest) - age;
            return { holder, repository, at, granted };
          }),
          latest - earliest,
        ),
    });
    grants.onChange = (grant, before) => {
      const step = Math.min(grants.keepMs / RENEWAL_SHARE, MAX_RENEWAL_MS);
      // Repeated logins are told only now and then.
      const same = before?.granted === grant.granted && Math.floor(before.at / step) === Math.floor(grant.at / step);
      if (!same) this.record(`${grant.holder}\n${grant.repository}`);
    };
  }
}
