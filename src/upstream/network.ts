import type { BufferPool } from './reader/buffer-pool.ts';
import type { Resolver } from './resolver.ts';

/** What all upstreams of a process share. */
export interface Network {
  resolver: Resolver;
  pool: BufferPool;
}
