import { z } from 'zod';
import { isDigest, isRepository, isTag } from '../oci/reference.ts';
import type { PulledLog, PulledManifest } from '../replication/coverage/pulled-log.ts';
import { ChangeLog } from './change-log.ts';
import type { SharedStore } from './shared-store.ts';

/** Registry, repository and reference as clients name them, digest, time of the last pull. */
const entrySchema = z.tuple([
  z
    .string()
    .max(256)
    .regex(/^[^\n]*$/)
    .nullable(),
  z.string().refine(isRepository),
  z.string().refine((reference) => isTag(reference) || isDigest(reference)),
  z.string().refine(isDigest),
  z.number().min(0),
]);
const entriesSchema = z.array(entrySchema);

/** A repeated pull is told again at most once in so many milliseconds. */
const RENEWAL_MS = 600_000;

/** Shares the log of pulls, so that the edge that copies also knows what other edges served. */
export class SharedPulls implements SharedStore {
  readonly name = 'pulls';
  readonly #pulls: PulledLog;
  readonly #log: ChangeLog;

  constructor(pulls: PulledLog) {
    this.#pulls = pulls;
    this.#log = new ChangeLog((key) => pulls.find(key) !== undefined);
    pulls.onChange = (key, pulled, before) => {
      if (isNews(pulled, before)) this.#log.record(key);
    };
  }

  get head(): number {
    return this.#log.head;
  }

  since(version: number, max: number): { entries: unknown[]; next: number } {
    const { keys, next } = this.#log.since(version, max);
    return { entries: keys.flatMap((key) => this.#pulls.find(key) ?? []).map(toWire), next };
  }

  merge(entries: readonly unknown[]): number | undefined {
    const read = entriesSchema.safeParse(entries);
    if (!read.success) return undefined;
    return this.#pulls.merge(
      read.data.map(([registry, repository, reference, digest, at]) => ({
        registry: registry ?? undefined,
        repository,
        reference,
        digest,
        at,
      })),
    );
  }
}

function isNews(pulled: PulledManifest, before: PulledManifest | undefined): boolean {
  const round = ({ at }: PulledManifest) => Math.floor(at / RENEWAL_MS);
  return before?.digest !== pulled.digest || round(before) !== round(pulled);
}

function toWire({ registry, repository, reference, digest, at }: PulledManifest): z.input<typeof entrySchema> {
  return [registry ?? null, repository, reference, digest, at];
}
