import type { KnownRights, RememberedRights } from '../../auth/known-rights.ts';

/** What a user would get, as far as the edge knows that without a password. */
export interface UserOutlook {
  user: string;
  known: string[];
  unknown: string[];
}

export interface UserFacts {
  user: string;
  /** The image's repository, in the client's name. */
  repository: string;
  /** Undefined: `auth.mode: open`. */
  rights: KnownRights | undefined;
  /** In `auth.mode: open`: the upstream of the route that decides by the credentials of clients. */
  decider: string | undefined;
  /** Networks may pull the repository without a login. */
  anonymous: boolean;
}

export function userOutlook(facts: UserFacts): UserOutlook {
  const { user, repository, rights, anonymous } = facts;
  const open = anonymous ? [`clients in auth.anonymous may pull ${repository} without a login`] : [];
  const { known, unknown } = rights === undefined ? withoutUsers(facts) : ofRights(facts, rights);
  return { user, known: [...known, ...open], unknown };
}

type Words = Pick<UserOutlook, 'known' | 'unknown'>;

function withoutUsers({ user, repository, decider }: UserFacts): Words {
  if (decider === undefined)
    return {
      known: [`auth.mode is open, and no upstream of the route asks for a login: ${user} gets what every client gets`],
      unknown: [],
    };
  return {
    known: ['auth.mode is open: the edge knows no users'],
    unknown: [`what ${user} may do in ${repository}: ${decider} decides by the login that the client sends`],
  };
}

function ofRights({ user, repository }: UserFacts, rights: KnownRights): Words {
  if (rights.by === 'rules') {
    if (!rights.exists)
      return { known: [`there is no user ${user} in auth.htpasswdFile, so a login is refused with 401`], unknown: [] };
    const may =
      rights.actions.length > 0 ? `may ${rights.actions.join(', ')} in ${repository}` : `has no right in ${repository}`;
    return { known: [`${user} ${may}, by auth.access`], unknown: [] };
  }
  if (rights.by === 'break-glass') {
    if (!rights.exists) return { known: [`there is no user ${user} in auth.breakGlassFile`], unknown: [] };
    const may = `${user} ${rights.mayPull ? 'may pull' : 'has no right to pull'} ${repository}, while ${rights.authority} cannot be reached`;
    return { known: [may, `${rights.authority} ${rights.isReachable ? 'can' : 'cannot'} be reached now`], unknown: [] };
  }
  return ofAuthority(user, repository, rights);
}

function ofAuthority(user: string, repository: string, rights: RememberedRights): Words {
  const { authority, isReachable, isKnownThere, keepMs, remembered, openMs } = rights;
  if (!isKnownThere)
    return {
      known: [
        `${authority}, which decides about users, is not part of the route: ${user} may do nothing in ${repository}`,
      ],
      unknown: [],
    };
  const open =
    openMs > 0
      ? [`${authority} has opened ${repository} to every client; in an outage that counts for ${hours(openMs)} more`]
      : [];
  const state = isReachable
    ? `${authority} decides at each login and each request`
    : `${authority} cannot be reached now, so what is remembered decides, and pushes are refused`;
  const known = [state, ...open, ...(remembered ? [rememberedText(user, repository, authority, remembered)] : [])];
  if (keepMs === 0) known.push('auth.remember is 0s: in an outage nothing is remembered');
  const login = `no login of ${user} was seen by this edge since its start, so it is not known by name what is remembered`;
  return {
    known,
    unknown: [
      ...(isReachable ? [`what ${authority} would say to ${user} now: that takes the password`] : []),
      ...(remembered || keepMs === 0 ? [] : [login]),
    ],
  };
}

function rememberedText(
  user: string,
  repository: string,
  authority: string,
  { passwordMs, pullMs }: NonNullable<RememberedRights['remembered']>,
): string {
  if (passwordMs === 0)
    return `the last login of ${user} was refused by ${authority}, or is too old: in an outage it opens nothing`;
  if (pullMs > 0)
    return `${authority} let ${user} pull ${repository}; in an outage that counts for ${hours(pullMs)} more, with the same password`;
  return `${user} has logged in, but ${authority} did not let ${user} pull ${repository} lately: in an outage it is refused`;
}

function hours(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
