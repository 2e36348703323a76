import { z } from 'zod';
import type { TimeBounds } from '../failover/heard-time.ts';
import type { PeerSight, ToldSight } from '../failover/vip-eligibility.ts';

/** Version of this part of an answer. Edges of another version are not known to see anything. */
const SIGHT_VERSION = 1;
/** Most upstreams that are told. What is not told counts as not seen. */
const MAX_UPSTREAMS = 256;

const seen = z.enum(['yes', 'no', 'unknown', 'none']);
const age = z.number().min(0).max(1e13);

/** Ages count from `at`. */
export const sightMessage = z.object({
  v: z.literal(SIGHT_VERSION),
  /** A moment by the monotonic clock of the process that tells, in milliseconds. */
  at: z.number(),
  /** The same moment by the clock of its host; epoch milliseconds. */
  wall: z.number().min(0).max(1e14),
  /** Its version of Breakwater. */
  release: z.string().regex(/^[\w.+-]{1,40}$/),
  holds: z.boolean(),
  defers: z.boolean(),
  away: z.boolean(),
  vip: z.boolean().optional(),
  /** Identity, pulls and the age of that, pushes and the age of that, ages of the last good probe and of the begin of the last probe. */
  upstreams: z
    .array(z.tuple([z.string().max(64), seen, age, seen, age, age.nullable(), age.nullable()]))
    .max(MAX_UPSTREAMS),
});

export type SightMessage = z.output<typeof sightMessage>;

/** @param at the moment of telling, by both clocks of this process */
export function tellSight(
  { upstreams, ...told }: ToldSight,
  release: string,
  at: { monotonic: number; wall: number },
): SightMessage {
  const ageOf = (time: number) => Math.max(0, at.monotonic - time);
  const ageOrNull = (time: number | undefined) => (time === undefined ? null : ageOf(time));
  return {
    v: SIGHT_VERSION,
    at: at.monotonic,
    wall: at.wall,
    release,
    ...told,
    upstreams: upstreams
      .slice(0, MAX_UPSTREAMS)
      .map((one) => [
        one.id,
        one.pulls,
        ageOf(one.pullsSince),
        one.pushes,
        ageOf(one.pushesSince),
        ageOrNull(one.goodAt),
        ageOrNull(one.probedAt),
      ]),
  };
}

/**
 * What another edge has told, in the time of this one.
 * @param bounds of the moment of telling: states may be as young, and probes as old as they allow
 */
export function hearSight(message: SightMessage, peer: string, { earliest, latest }: TimeBounds): PeerSight {
  const { holds, defers, away, vip } = message;
  const probe = (ago: number | null) => (ago === null ? undefined : earliest - ago);
  return {
    ...{ peer, toldAt: earliest, holds, defers, away, vip },
    upstreams: message.upstreams.map(([id, pulls, pullsAge, pushes, pushesAge, goodAge, probedAge]) => ({
      id,
      pulls,
      pullsSince: latest - pullsAge,
      pushes,
      pushesSince: latest - pushesAge,
      goodAt: probe(goodAge),
      probedAt: probe(probedAge),
    })),
  };
}
