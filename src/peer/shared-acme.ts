import { z } from 'zod';
import type { AcmeEntry, AcmeState } from '../acme/acme-state.ts';
import { ChangedEntries } from './shared-store.ts';

const token = z.string().regex(/^[A-Za-z0-9_-]{1,256}$/);
const id = z.string().regex(/^[0-9a-f]{16}$/);
const age = z.number().min(0);
const pem = z.string().max(65_536);
/** Kind, and what belongs to it. */
const entry = z.union([
  z.tuple([z.literal('challenge'), token, z.string().max(1024), age]),
  /** The last one: the directory of the ACME server; '' if that is not known. */
  z.tuple([z.literal('certificate'), pem, pem, pem.regex(/^(https:\/\/[\x21-\x7e]+)?$/)]),
  /** Edge, age, whether it orders, whether that is over. */
  z.tuple([z.literal('claim'), id, age, z.boolean(), z.boolean()]),
  z.tuple([z.literal('order'), id, age]),
  /** Id, age, whether it is over. */
  z.tuple([z.literal('wish'), id, age, z.boolean()]),
]);
type Entry = z.output<typeof entry>;

/** Shares the certificate of ACME between edges: any edge answers a challenge, and one orders for all. Messages are encrypted. */
export class SharedAcme extends ChangedEntries<Entry> {
  /** @param wallNow epoch milliseconds by the clock of this machine, since certificates have dates */
  constructor(state: AcmeState, wallNow: () => number) {
    super({
      name: 'acme',
      entry,
      find: (key) => {
        const found = state.entry(key);
        return found && told(found, wallNow());
      },
      merge: (entries) => state.merge(entries.map((one) => heard(one, wallNow()))),
    });
    state.onChange = (key) => this.record(key);
  }
}

function told(one: AcmeEntry, now: number): Entry {
  const ageOf = (at: number) => Math.max(0, now - at);
  if (one.kind === 'challenge') return [one.kind, one.token, one.answer, ageOf(one.at)];
  if (one.kind === 'certificate') return [one.kind, one.pair.cert, one.pair.key, one.pair.directory ?? ''];
  if (one.kind === 'order') return [one.kind, one.id, ageOf(one.at)];
  if (one.kind === 'wish') return [one.kind, one.id, ageOf(one.at), one.over];
  return [one.kind, one.claim.edge, ageOf(one.claim.at), one.claim.ordering, one.over];
}

function heard(one: Entry, now: number): AcmeEntry {
  if (one[0] === 'challenge') return { kind: one[0], token: one[1], answer: one[2], at: now - one[3] };
  if (one[0] === 'certificate')
    return { kind: one[0], pair: { cert: one[1], key: one[2], directory: one[3] || undefined } };
  if (one[0] === 'order') return { kind: one[0], id: one[1], at: now - one[2] };
  if (one[0] === 'wish') return { kind: one[0], id: one[1], at: now - one[2], over: one[3] };
  return { kind: one[0], claim: { edge: one[1], at: now - one[2], ordering: one[3] }, over: one[4] };
}
