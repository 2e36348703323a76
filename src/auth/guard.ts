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

/** The request may be made. */
export interface Allowed {
  /** Undefined: an anonymous client. */
  user: string | undefined;
  /** The user's own Authorization for the authority. */
  upstream?: string;
  /** The token is good for a push to this repository: an answer to a read decides what is pushed. */
  forPush?: true;
  /** The token would be good for a push, but the authority could not be reached when it was made. */
  authorityUnreachable?: true;
  /** Only the authority may answer, because it may be hiding the repository from this user. */
  authorityOnly?: true;
  /** The authority let this user read the repository before: while it is well, its word is final. */
  previouslyGranted?: true;
}

export type Permit =
  | Allowed
  | { refused: 'no-token' | 'invalid_token' }
  | { refused: 'insufficient_scope'; user: string | undefined; upstream?: string };

type Marks = Pick<Allowed, 'forPush' | 'authorityUnreachable' | 'authorityOnly' | 'previouslyGranted'>;

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
function marksOf(
  { access, authorityUnreachable, unseen = [], previouslyGranted = [] }: Claims,
  deeds: readonly Deed[],
  open: boolean,
): Marks {
  const authorityOnly = !open && deeds.some(({ place }) => unseen.includes(place.key));
  const forPush = deeds.some((deed) => covers(access, pushOf(deed)));
  return {
    ...(forPush ? { forPush } : authorityUnreachable ? { authorityUnreachable } : {}),
    ...(authorityOnly ? { authorityOnly } : {}),
    ...(!open && deeds.some(({ place }) => previouslyGranted.includes(place.key)) ? { previouslyGranted: true } : {}),
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
