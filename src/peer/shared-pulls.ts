import { z } from 'zod';
import { isDigest, isReference, isRepository } from '../oci/reference.ts';
import type { PulledLog, PulledManifest } from '../replication/coverage/pulled-log.ts';
import { ChangedEntries } from './shared-store.ts';

/** Registry, repository and reference as clients name them, digest, age of the last pull. */
const entry = z.tuple([
  z
    .string()
    .max(256)
    .regex(/^[^\n]*$/)
    .nullable(),
  z.string().refine(isRepository),
  z.string().refine(isReference),
  z.string().refine(isDigest),
  z.number().min(0),
]);

/** A repeated pull is told again at most once in so many milliseconds. */
const RENEWAL_MS = 600_000;

/** Shares the log of pulls, so that the edge that copies also knows what other edges served. */
export class SharedPulls extends ChangedEntries<z.output<typeof entry>> {
  constructor(pulls: PulledLog) {
    super({
      name: 'pulls',
      entry,
      find: (key, now) => {
        const pulled = pulls.find(key);
        if (!pulled) return undefined;
        const { registry, repository, reference, digest, at } = pulled;
        return [registry ?? null, repository, reference, digest, now - at];
      },
      merge: (entries, now) =>
        pulls.merge(
          entries.map(([registry, repository, reference, digest, age]) => ({
            registry: registry ?? undefined,
            repository,
            reference,
            digest,
            at: now - age,
          })),
        ),
    });
    pulls.onChange = (key, pulled, before) => {
      if (isNews(pulled, before)) this.record(key);
    };
  }
}

function isNews(pulled: PulledManifest, before: PulledManifest | undefined): boolean {
  const round = ({ at }: PulledManifest) => Math.floor(at / RENEWAL_MS);
  return before?.digest !== pulled.digest || round(before) !== round(pulled);
}
