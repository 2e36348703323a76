import type { Action } from '../config/access-rule.ts';
import type { Scope } from '../oci/scope.ts';
import type { Caller } from './caller.ts';
import type { Place } from './place.ts';
import type { Claims, Opened, TokenBox } from './token-box.ts';

/** What a request does to one repository. */
export interface Deed {
  place: Place;
  /** The repository as the client names it, for the challenge. */
  repository: string;
  actions: readonly Action[];
}

/** `named`: only who has a name. */
export type Need = { deeds: readonly Deed[] } | 'named';

/**
 * `upstream`: the user's own Authorization for the authority. `pushing`: its token is good for a push to the same repository, so that what
 * is read with it may decide what is pushed. `unasked`: its token would be, if the authority could have been asked. `confined`: what it
 * reads may come from the authority only, which may be hiding it from this user. `faded`: it was shown before, so that the authority
 * has the last word as long as it is well.
 */
export type Permit =
  | { user: string | undefined; upstream?: string; pushing?: true; unasked?: true; confined?: true; faded?: true }
  | { refused: 'no-token' | 'invalid_token' }
  | { refused: 'insufficient_scope'; user: string | undefined; upstream?: string };

type Marks = Pick<Exclude<Permit, { refused: unknown }>, 'pushing' | 'unasked' | 'confined' | 'faded'>;

/** What is asked at each request, whatever the token says. */
export interface Standing {
  /** Whether a token of the user that was made on this basis is still worth something. */
  stands(user: string, basis: string): boolean;
  may(user: string, place: Place, action: Action): boolean;
}

/** Says of each request whether its token opens what it is for. What the user may do now counts, whatever the token says. */
export class Guard {
  readonly #standing: Standing;
  readonly #box: TokenBox;
  readonly #service: string;

  /** @param service whose tokens are taken */
  constructor(standing: Standing, box: TokenBox, service: string) {
    this.#standing = standing;
    this.#box = box;
    this.#service = service;
  }

  /** @param authorization the header; resolves without waiting where the token was seen before */
  check(authorization: string | undefined, need: Need, caller: Caller): Permit | Promise<Permit> {
    if (authorization === undefined) return anonymously(need, caller) ? { user: undefined } : { refused: 'no-token' };
    // What follows is looked up, or fails to decrypt: it need not be read by a pattern of kilobytes first.
    const [scheme, token] = [authorization.slice(0, 7).toLowerCase(), authorization.slice(7).trim()];
    if (scheme !== 'bearer ' || token === '') return { refused: 'invalid_token' };
    const known = this.#box.known(token);
    if (known) return this.#judge(known, need, caller);
    return this.#box.open(token).then((opened) => this.#judge(opened, need, caller));
  }

  #judge(opened: Opened, need: Need, caller: Caller): Permit {
    if ('refused' in opened || !this.#stands(opened.claims)) return { refused: 'invalid_token' };
    const { user, access } = opened.claims;
    if (user === undefined) {
      const open =
        caller.anonymous && need !== 'named' && need.deeds.every((deed) => isOpen(deed) && covers(access, deed));
      return open ? { user } : { refused: 'insufficient_scope', user };
    }
    const upstream = upstreamFor(opened.claims, need);
    const who = upstream === undefined ? { user } : { user, upstream };
    const allowed = (deed: Deed) =>
      covers(access, deed) && deed.actions.every((action) => this.#standing.may(user, deed.place, action));
    if (need === 'named') return who;
    if (need.deeds.every(allowed)) return { ...who, ...marksOf(opened.claims, need.deeds, anonymously(need, caller)) };
    // Who logs in may do no less than who does not; the token for the authority opens nothing there.
    return anonymously(need, caller) ? { user } : { refused: 'insufficient_scope', ...who };
  }

  #stands({ use, service, user, basis }: Claims): boolean {
    if (use !== 'access' || service !== this.#service) return false;
    return user === undefined || (basis !== undefined && this.#standing.stands(user, basis));
  }
}

/** Of a mount, what opens the repository that is written to. */
function upstreamFor({ upstream, upstreams = [] }: Claims, need: Need): string | undefined {
  const name = need === 'named' ? undefined : need.deeds[0]?.place.key;
  return upstreams.find(([place]) => place === name)?.[1] ?? upstream;
}

/** @param open to who has no token, too */
function marksOf({ access, unasked, unseen = [], faded = [] }: Claims, deeds: readonly Deed[], open: boolean): Marks {
  const confined = !open && deeds.some(({ place }) => unseen.includes(place.key));
  const pushing = deeds.some((deed) => covers(access, pushOf(deed)));
  return {
    ...(pushing ? { pushing } : unasked ? { unasked } : {}),
    ...(confined ? { confined } : {}),
    ...(!open && deeds.some(({ place }) => faded.includes(place.key)) ? { faded: true } : {}),
  };
}

function anonymously(need: Need, caller: Caller): boolean {
  return caller.anonymous && need !== 'named' && need.deeds.length > 0 && need.deeds.every(isOpen);
}

function isOpen({ place, actions }: Deed): boolean {
  return place.anonymous && actions.every((action) => action === 'pull');
}

function pushOf(deed: Deed): Deed {
  return { ...deed, actions: ['push'] };
}

function covers(access: readonly Scope[], { place, actions }: Deed): boolean {
  return actions.every((action) =>
    access.some((scope) => scope.type === 'repository' && scope.name === place.key && scope.actions.includes(action)),
  );
}
