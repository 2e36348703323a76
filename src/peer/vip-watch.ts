import { monotonicNow, readClocks } from '../clock/clock.ts';
import { coversSight, gapsOf, type SightGap, type UpstreamSight } from '../failover/sight.ts';
import {
  INITIAL_VIP,
  mayPromise,
  NEVER,
  nextVip,
  type PeerSight,
  type VipRules,
  type VipState,
} from '../failover/vip-eligibility.ts';
import { inBackground } from '../http/background.ts';
import { type SightMessage, tellSight } from './sight-message.ts';

/** Milliseconds between two looks. */
const LOOK_MS = 500;
/** Milliseconds after a question of `/vipz` in which something on this node moves the VIP. keepalived asks once a second. */
const ASKED_MS = 15_000;

export interface VipWatchOptions {
  /** What this edge sees. */
  own: () => readonly UpstreamSight[];
  /** What other edges have told last. */
  peers: () => readonly PeerSight[];
  rules: () => VipRules;
  /** This edge is starting or stopping. */
  away: () => boolean;
  /** Whether this node has the VIP. Undefined: it is not known. */
  vip: () => boolean | undefined;
  release: string;
  /** Called when this edge begins to defer, and when that ends. */
  onChange: (defers: VipState['defers']) => void;
  now?: () => number;
}

/** Upstreams that one of two edges does not reach, and the other one does. */
export interface SightDifference {
  peer: string;
  /** Which edge does not reach them. */
  lacking: 'this' | 'peer';
  gaps: readonly SightGap[];
  /** Whether the edge that reaches them reaches everything that the other one does. */
  covers: boolean;
  /** Since when this edge has known it; monotonic milliseconds. */
  since: number;
}

/** Decides whether this node may hold the VIP, and tells other edges what it sees. */
export class VipWatch {
  readonly #options: VipWatchOptions;
  readonly #now: () => number;
  #state = INITIAL_VIP;
  #askedAt = NEVER;
  #timer: NodeJS.Timeout | undefined;
  /** Since when an edge has seen less, by its address and the edge that does. */
  #since = new Map<string, number>();

  constructor(options: VipWatchOptions) {
    this.#options = options;
    this.#now = options.now ?? monotonicNow;
  }

  start(): void {
    this.#timer = setInterval(
      inBackground('peer', () => this.look()),
      LOOK_MS,
    ).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Notes that `/vipz` was asked. Where nobody asks, such as where keepalived is dead, a node cannot take the VIP, and promises nothing. */
  asked(): void {
    this.#askedAt = this.#now();
  }

  /** The edge that this one defers to now. Undefined: this node may hold the VIP. */
  look(): VipState['defers'] {
    const { own, peers, rules, onChange } = this.#options;
    const before = this.#state.defers;
    this.#state = nextVip(this.#state, own(), peers(), rules(), this.#now());
    const { defers } = this.#state;
    if ((defers === undefined) !== (before === undefined)) onChange(defers);
    this.differences();
    return defers;
  }

  /** What this edge tells another one. It may hold a promise, which this edge keeps from then on. */
  tell(): SightMessage {
    const { own, away, vip, release } = this.#options;
    const defers = this.look() !== undefined;
    const isAway = away();
    const isAsked = this.#now() - this.#askedAt < ASKED_MS;
    const holds = !isAway && isAsked && mayPromise(this.#state);
    if (holds) this.#state = { ...this.#state, promisedAt: this.#now() };
    const { wall } = readClocks();
    const told = { upstreams: own(), holds, defers, away: isAway, vip: vip() };
    return tellSight(told, release, { monotonic: this.#now(), wall });
  }

  /** Where this edge and others differ. */
  differences(): SightDifference[] {
    const now = this.#now();
    const own = this.#options.own();
    const found = this.#options.peers().flatMap(({ peer, upstreams }) => [
      { peer, lacking: 'this' as const, gaps: gapsOf(own, upstreams), covers: coversSight(upstreams, own) },
      { peer, lacking: 'peer' as const, gaps: gapsOf(upstreams, own), covers: coversSight(own, upstreams) },
    ]);
    const differences = found
      .filter(({ gaps }) => gaps.length > 0)
      .map((one) => ({ ...one, since: this.#since.get(`${one.lacking} ${one.peer}`) ?? now }));
    this.#since = new Map(differences.map(({ peer, lacking, since }) => [`${lacking} ${peer}`, since]));
    return differences;
  }
}
