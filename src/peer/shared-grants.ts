import { z } from 'zod';
import type { Grant, Grants } from '../auth/grants.ts';
import { ChangeLog } from './change-log.ts';
import type { SharedStore } from './shared-store.ts';

const MAX_NAME = 512;
/** Holder, repository, time, whether granted. */
const entrySchema = z.tuple([
  z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
  z
    .string()
    .max(MAX_NAME)
    .regex(/^[^\n]*$/),
  z.number().min(0),
  z.boolean(),
]);
const entriesSchema = z.array(entrySchema);

/** The part of `auth.remember` after which a renewed grant is told again. */
const RENEWAL_SHARE = 20;
const MAX_RENEWAL_MS = 60_000;

/** Shares the authority's decisions between edges. */
export class SharedGrants implements SharedStore {
  readonly name = 'grants';
  readonly #grants: Grants;
  readonly #log: ChangeLog;

  constructor(grants: Grants) {
    this.#grants = grants;
    this.#log = new ChangeLog((key) => this.#find(key) !== undefined);
    grants.onChange = (grant, before) => {
      const step = Math.min(grants.keepMs / RENEWAL_SHARE, MAX_RENEWAL_MS);
      // Repeated logins are told only now and then.
      const same = before?.granted === grant.granted && Math.floor(before.at / step) === Math.floor(grant.at / step);
      if (!same) this.#log.record(`${grant.holder}\n${grant.repository}`);
    };
  }

  get head(): number {
    return this.#log.head;
  }

  since(version: number, max: number): { entries: unknown[]; next: number } {
    const { keys, next } = this.#log.since(version, max);
    return { entries: keys.flatMap((key) => this.#find(key) ?? []).map(toWire), next };
  }

  merge(entries: readonly unknown[]): number | undefined {
    const read = entriesSchema.safeParse(entries);
    if (!read.success) return undefined;
    return this.#grants.merge(
      read.data.map(([holder, repository, at, granted]) => ({ holder, repository, at, granted })),
    );
  }

  #find(key: string): Grant | undefined {
    const [holder = '', repository = ''] = key.split('\n');
    const entry = this.#grants.find(holder, repository);
    return entry && { holder, repository, ...entry };
  }
}

function toWire({ holder, repository, at, granted }: Grant): z.input<typeof entrySchema> {
  return [holder, repository, at, granted];
}
