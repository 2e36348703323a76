import { z } from 'zod';
import { sightMessage } from './sight-message.ts';

/** Version of the protocol. A message of another version is not answered. */
export const PEER_VERSION = 2;

const id = z.string().regex(/^[A-Za-z0-9_-]{16,64}$/);
/** A version for each store by its name. */
const versions = z.record(z.string().max(32), z.number().int().min(0));

/** One edge asks another for changes. */
export const peerQuestion = z.object({
  v: z.literal(PEER_VERSION),
  kind: z.literal('question'),
  /** Random for each question; the answer repeats it. */
  nonce: id,
  /** Id of the process that `known` refers to; versions of another process mean nothing. */
  of: id.optional(),
  /** The versions up to which the asking edge has read each store. */
  known: versions,
  /** Id of the link that asks, where the question may stand until there is news. A process of an earlier release answers it at once. */
  link: id.optional(),
});

/** The changes since then. Entries tell ages, not times: the clocks of hosts may be set, and no two processes share one. */
export const peerAnswer = z.object({
  v: z.literal(PEER_VERSION),
  kind: z.literal('answer'),
  nonce: id,
  /** Id of the answering process. */
  node: id,
  /** The moment from which ages count, by the clock of that process; milliseconds. */
  now: z.number(),
  /** `next`: the version for the next question. `more`: another question gets more at once. */
  stores: z.record(
    z.string().max(32),
    z.object({ entries: z.array(z.unknown()), next: z.number().int().min(0), more: z.boolean() }),
  ),
  /** Whether the next question may stand. */
  stands: z.boolean().optional(),
  /** The process acknowledges no write any more, and has told everything. */
  ended: z.boolean().optional(),
  /** What the process sees of the upstreams. One that cannot be read is as none: a later release may tell it in another way. */
  sight: sightMessage.optional().catch(undefined),
});

export type PeerQuestion = z.output<typeof peerQuestion>;
export type PeerAnswer = z.output<typeof peerAnswer>;
