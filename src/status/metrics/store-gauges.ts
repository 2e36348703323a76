import { Counter, Gauge, type Registry } from 'prom-client';
import type { Stores } from '../snapshot/snapshot.ts';

/** Sizes of the stores in memory at the moment of a scrape. */
export class StoreGauges {
  readonly #tags: Gauge;
  readonly #evicted: Counter;
  readonly #manifests: Gauge;
  readonly #buffers: Gauge<'state'>;
  readonly #hashing: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#tags = new Gauge({ name: 'breakwater_ledger_tags', help: 'Tags in the ledger.', registers });
    this.#evicted = new Counter({
      name: 'breakwater_ledger_evicted_total',
      help: 'Tags that the ledger dropped because there were more than ledger.tags. Clients may then get old tags from a fallback without a warning.',
      registers,
    });
    this.#manifests = new Gauge({
      name: 'breakwater_manifest_memory_bytes',
      help: 'Bytes of the manifests in memory.',
      registers,
    });
    this.#buffers = new Gauge({
      name: 'breakwater_buffers_bytes',
      help: 'Bytes of the buffers for bodies: in_use, or kept for reuse.',
      labelNames: ['state'],
      registers,
    });
    this.#hashing = new Gauge({ name: 'breakwater_hash_jobs', help: 'Digests being computed.', registers });
  }

  update({ ledger, manifests, buffers, hashing }: Stores): void {
    this.#tags.set(ledger.tags);
    this.#evicted.reset();
    this.#evicted.inc(ledger.evicted);
    this.#manifests.set(manifests.bytes);
    this.#buffers.set({ state: 'in_use' }, buffers.inUse);
    this.#buffers.set({ state: 'kept' }, buffers.kept);
    this.#hashing.set(hashing);
  }
}
