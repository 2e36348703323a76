import { Counter, Gauge, type Registry } from 'prom-client';
import type { Stores } from '../stores.ts';

/** What the edge keeps in memory, at the moment of a scrape. */
export class StoreGauges {
  readonly #tags: Gauge;
  readonly #evicted: Counter;
  readonly #manifests: Gauge;
  readonly #buffers: Gauge<'state'>;
  readonly #hashing: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#tags = new Gauge({ name: 'breakwater_ledger_tags', help: 'Tags that the ledger knows.', registers });
    this.#evicted = new Counter({
      name: 'breakwater_ledger_evicted_total',
      help: 'Tags that the ledger forgot because there were more than `ledger.tags`.',
      registers,
    });
    this.#manifests = new Gauge({
      name: 'breakwater_manifest_memory_bytes',
      help: 'What the manifests that are kept in memory take.',
      registers,
    });
    this.#buffers = new Gauge({
      name: 'breakwater_buffers_bytes',
      help: 'Memory that bodies are read into: in use, and kept for reuse.',
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
