import { z } from 'zod';

/** Version of what nodes say to each other; one that is not understood is not answered. */
export const PEER_VERSION = 1;

const id = z.string().regex(/^[A-Za-z0-9_-]{16,64}$/);
/** Of each store by its name. */
const versions = z.record(z.string().max(32), z.number().int().min(0));

/** One node asks another what changed. */
export const peerQuestion = z.object({
  v: z.literal(PEER_VERSION),
  kind: z.literal('question'),
  /** Made anew for each question, and brought back by the answer to it. */
  nonce: id,
  /** Epoch milliseconds. */
  at: z.number(),
  /** The process that `known` is about; what another one says is about something else. */
  of: id.optional(),
  /** The versions up to which the asker has heard all. */
  known: versions,
});

/** What changed since. */
export const peerAnswer = z.object({
  v: z.literal(PEER_VERSION),
  kind: z.literal('answer'),
  nonce: id,
  /** The process that answers. */
  node: id,
  /** `next`: the version to ask from the next time. `more`: there is more to be had at once. */
  stores: z.record(
    z.string().max(32),
    z.object({ entries: z.array(z.unknown()), next: z.number().int().min(0), more: z.boolean() }),
  ),
});

export type PeerQuestion = z.output<typeof peerQuestion>;
export type PeerAnswer = z.output<typeof peerAnswer>;
