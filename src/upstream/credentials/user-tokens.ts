import { monotonicNow } from '../../clock/clock.ts';
import { inBackground } from '../../http/background.ts';
import type { Challenge } from '../../oci/challenge.ts';
import { formatScope, type Scope } from '../../oci/scope.ts';
import type { Reach } from '../allowed-hosts.ts';
import { dropBody } from '../body/explanatory-body.ts';
import { readJson } from '../body/read-body.ts';
import type { Answer } from '../client.ts';
import { UpstreamError } from '../upstream-error.ts';
import { type Permissions, permissionsByTagLists, rejectPage } from './tag-list-permission.ts';
import { readToken, tokenServiceUrl, usableChallenge } from './token-service.ts';
import { readUserToken, type UserToken } from './user-token.ts';

interface UserLogin {
  /** The Authorization that this user's requests need. */
  authorization: string;
  /** Seconds; undefined: as long as the password is right. */
  expiresIn: number | undefined;
  /** The scopes that the user's token says it has; undefined for an opaque token, and for Basic. */
  access: Scope[] | undefined;
  /** The token names this user, so the upstream's database has answered. */
  identified: boolean;
  /** Another Authorization for the catalog: that of Harbor takes no tokens. */
  catalogAuthorization?: string;
}

interface UserGrant extends Omit<UserLogin, 'access'> {
  outcome: 'granted';
  /** Repositories that need another Authorization, where a token holds only one scope. */
  perRepository?: Record<string, string>;
  /** The scopes that the user has, of those asked for; in the upstream's names. */
  granted: Scope[];
  /** Repositories whose pull is neither granted nor denied: they do not exist, or were too many to ask for. */
  undecided: string[];
}

/** A login that was refused. */
interface UserRefusal {
  outcome: 'refused';
  /** Milliseconds that the refusal took, where the upstream delays refusals of wrong passwords (`LOCK_MS`). */
  tookMs?: number;
}

/** An upstream's answer about one of its users. */
export type UserAnswer = UserGrant | UserRefusal;

/** How users log in to the upstream: at a token service on `host`, or by Basic. */
export type LoginMethod = { by: 'token'; host: string } | { by: 'basic' };

/** A question about a user. */
export interface UserQuestion {
  /** The user's own Authorization; undefined: what clients without credentials may do. */
  basic: string | undefined;
  scopes: readonly Scope[];
  /** Hosts beside the upstream's own whose token service may be given `basic`. */
  realmHosts: readonly string[];
  /** Bounds the whole question. */
  signal: AbortSignal;
  /** Waits until one more request may be sent to the upstream. @returns frees the slot */
  acquireSlot: () => Promise<() => void>;
}

type TagListQuestion = Pick<UserQuestion, 'signal' | 'acquireSlot'>;

export interface UserTokensOptions {
  upstream: URL;
  /** Default: the upstream's own host. */
  reach?: Reach;
  /** To the upstream itself, below its base path. */
  send: (path: string, headers: Record<string, string>, signal: AbortSignal) => Promise<Answer>;
  sendElsewhere: (url: URL, headers: Record<string, string>, signal: AbortSignal) => Promise<Answer>;
  /** Monotonic milliseconds. Default: the clock of all durations. */
  now?: () => number;
}

/** A login asks the upstream for its challenge, and the token service for a token. Each request has a deadline of its own. */
export const LOGIN_REQUESTS = 2;
const MAX_REPLY_BYTES = 262_144;
/** Tokens last at least this long (Docker token protocol). */
const MIN_TOKEN_SECONDS = 60;
/** Milliseconds after which a challenge is asked for again, and that this may take. */
const CHALLENGE_TTL_MS = 300_000;
const RENEWAL_MS = 10_000;
/** Harbor's name for its registry in challenges. Its tokens and refusals are described in docs/adr/0033-authority-evidence.md. */
const HARBOR_SERVICE = 'harbor-registry';
/** Tokens of one scope each in one login. Breakwater's own token holds them all, and would become too long. */
const MAX_SINGLE_SCOPES = 4;

/** Asks an upstream about its own users, by its token service (Docker token protocol, GET) or by Basic. */
export class UserTokens {
  readonly #options: UserTokensOptions;
  #cachedChallenge: Challenge | undefined;
  /** When the challenge is asked for again; monotonic milliseconds. */
  #renewAt = 0;
  readonly #now: () => number;
  /** The token service has answered 400 to several scopes at once. */
  #singleScopeOnly = false;

  constructor(options: UserTokensOptions) {
    this.#options = options;
    this.#now = options.now ?? monotonicNow;
  }

  /** @throws UpstreamError when the upstream cannot tell; the signal's reason */
  async ask(question: UserQuestion): Promise<UserAnswer> {
    const cached = this.#cachedChallenge;
    if (cached && this.#now() >= this.#renewAt) void this.#renewChallenge();
    const challenge = cached ?? (await this.#fetchChallenge(question.signal));
    return challenge.scheme === 'basic' ? this.#askByBasic(question) : this.#askByToken(challenge, question);
  }

  /**
   * Whether the upstream shows a repository, by its tag list.
   * @throws UpstreamError when the upstream cannot tell; the signal's reason
   */
  async isShown(authorization: string, name: string, { signal, acquireSlot }: TagListQuestion): Promise<boolean> {
    const read = (path: string) => this.#options.send(path, { authorization }, signal);
    const scope = { type: 'repository', name, actions: ['pull'] };
    return (await permissionsByTagLists([scope], { read, acquireSlot })).granted.length > 0;
  }

  /**
   * Checks that users could be asked about now, without showing any user's credentials.
   * @throws UpstreamError when they could not; the signal's reason
   */
  async checkReachable(realmHosts: readonly string[], signal: AbortSignal): Promise<LoginMethod> {
    const challenge = await this.#fetchChallenge(signal);
    if (challenge.scheme === 'basic') return { by: 'basic' };
    const realm = this.#realm(challenge, realmHosts);
    const answer = await this.#options.sendElsewhere(realm, { accept: 'application/json' }, signal);
    await dropBody(answer.body);
    // A working token service refuses a request without a user, or gives a token without scopes.
    if (![200, 400, 401, 403].includes(answer.status)) throw tokenServiceFailure(answer.status);
    return { by: 'token', host: realm.host };
  }

  /** @throws UpstreamError `authority-dead` when the answer has no usable challenge (Harbor with its database down) */
  async #fetchChallenge(signal: AbortSignal): Promise<Challenge> {
    const answer = await this.#options.send('/v2/', {}, signal);
    await dropBody(answer.body);
    if (answer.status >= 500) throw new UpstreamError('status-5xx', `/v2/ answers ${answer.status}`);
    const challenge = usableChallenge(answer.headers.joined('www-authenticate'));
    if (answer.status !== 401 || !challenge) {
      this.#cachedChallenge = undefined;
      throw new UpstreamError('authority-dead', `/v2/ answers ${answer.status} without a way to log in`);
    }
    this.#cachedChallenge = challenge;
    this.#renewAt = this.#now() + CHALLENGE_TTL_MS;
    return challenge;
  }

  /** A login does not wait for this: at a slow upstream, one request after the other would take longer than a login may (rule 11). */
  readonly #renewChallenge = inBackground('credentials', async () => {
    this.#renewAt = this.#now() + CHALLENGE_TTL_MS;
    // What is wrong with the upstream, the logins find out themselves.
    await this.#fetchChallenge(AbortSignal.timeout(RENEWAL_MS)).catch(() => undefined);
  });

  async #askByToken(challenge: Challenge, question: UserQuestion): Promise<UserAnswer> {
    const { scopes } = question;
    if (this.#singleScopeOnly && scopes.length > 1) return this.#askPerScope(challenge, question);
    const reply = await this.#requestToken(challenge, question);
    if (reply !== 'not granted' && 'outcome' in reply) return reply;
    if (reply === 'not granted')
      return scopes.length > 1 ? this.#askPerScope(challenge, question) : this.#checkPassword(challenge, question);
    const { denied, ...found } = await this.#permissionsOf(reply, question);
    const answer = grantOf(reply, found);
    // Some token services grant only one scope of several.
    if (reply.access || scopes.length < 2 || denied.length === 0) return answer;
    return mergeAnswers(answer, await this.#askPerScope(challenge, { ...question, scopes: denied }));
  }

  /** Asks scope by scope, as Artifact Registry needs it. */
  async #askPerScope(challenge: Challenge, question: UserQuestion): Promise<UserAnswer> {
    const answers = await Promise.all(
      question.scopes.slice(0, MAX_SINGLE_SCOPES).map(async (scope): Promise<UserAnswer[]> => {
        const one = { ...question, scopes: [scope] };
        const reply = await this.#requestToken(challenge, one);
        if (reply === 'not granted') return [];
        return 'outcome' in reply ? [reply] : [grantOf(reply, await this.#permissionsOf(reply, one))];
      }),
    );
    const [first = await this.#checkPassword(challenge, question), ...others] = answers.flat();
    const all = others.reduce(mergeAnswers, first);
    if (all.outcome === 'refused') return all;
    return {
      ...all,
      undecided: [...all.undecided, ...question.scopes.slice(MAX_SINGLE_SCOPES).map(({ name }) => name)],
    };
  }

  /** Asks for no scope, to learn only whether the password is right. */
  async #checkPassword(challenge: Challenge, question: UserQuestion): Promise<UserAnswer> {
    const reply = await this.#requestToken(challenge, { ...question, scopes: [] });
    if (reply === 'not granted') return { outcome: 'refused' };
    return 'outcome' in reply ? reply : grantOf(reply, { granted: [], undecided: [] });
  }

  /** `not granted`: the user lacks the scope, or the scopes cannot be asked for together. */
  async #requestToken(challenge: Challenge, question: UserQuestion): Promise<UserLogin | UserRefusal | 'not granted'> {
    const { basic, scopes, realmHosts, signal } = question;
    const realm = this.#realm(challenge, realmHosts);
    for (const scope of scopes) realm.searchParams.append('scope', formatScope(scope));
    const headers = { accept: 'application/json', ...(basic === undefined ? {} : { authorization: basic }) };
    const askedAt = monotonicNow();
    const answer = await this.#options.sendElsewhere(realm, headers, signal);
    const isHarbor = challenge.parameters.service === HARBOR_SERVICE;
    const isDelayed = isHarbor && basic !== undefined;
    const refusal: UserRefusal = { outcome: 'refused', ...(isDelayed ? { tookMs: monotonicNow() - askedAt } : {}) };
    if (answer.status === 200) {
      const { value, expiresIn } = readToken(await readJson(answer.body, MAX_REPLY_BYTES), realm.host);
      const told = readUserToken(value);
      const isNobodys = basic !== undefined && told !== undefined && told.subject === undefined;
      if (isNobodys && !(await this.#acceptsLogin(challenge, question))) return refusal;
      return loginOf(value, told, { basic, expiresIn, isHarbor });
    }
    await dropBody(answer.body);
    if (answer.status === 400 && scopes.length > 1) {
      this.#singleScopeOnly = true;
      return 'not granted';
    }
    // Artifact Registry answers 403 for a repository that the user may not pull.
    if (answer.status === 403 && scopes.length > 0) return 'not granted';
    // The token service may have moved.
    if (answer.status !== 429) this.#cachedChallenge = undefined;
    if (answer.status !== 401 && answer.status !== 403) throw tokenServiceFailure(answer.status);
    // A dead database makes every password look wrong. The refusal counts only if the upstream still sends a challenge.
    await this.#fetchChallenge(signal);
    return refusal;
  }

  /**
   * Whether a token that names no user was given to the login. Harbor gives such a token to a wrong password, too, and
   * others to every user: they refuse a wrong password when no scope is asked for.
   */
  async #acceptsLogin(challenge: Challenge, question: UserQuestion): Promise<boolean> {
    if (challenge.parameters.service === HARBOR_SERVICE) return false;
    if (question.scopes.length === 0) return true;
    const reply = await this.#requestToken(challenge, { ...question, scopes: [] });
    return reply === 'not granted' || !('outcome' in reply);
  }

  async #permissionsOf({ access, authorization }: UserLogin, question: UserQuestion): Promise<Permissions> {
    const { scopes, signal, acquireSlot } = question;
    if (access) return { granted: allowedScopes(scopes, access), undecided: [], denied: [] };
    const read = (path: string) => this.#options.send(path, { authorization }, signal);
    return permissionsByTagLists(scopes, { read, acquireSlot });
  }

  async #askByBasic(question: UserQuestion): Promise<UserAnswer> {
    const { basic, signal } = question;
    if (basic === undefined) return { outcome: 'refused' };
    const answer = await this.#options.send('/v2/', { authorization: basic }, signal);
    await dropBody(answer.body);
    rejectPage(answer, '/v2/');
    if (answer.status === 401 || answer.status === 403) {
      await this.#fetchChallenge(signal);
      return { outcome: 'refused' };
    }
    if (answer.status !== 200) throw new UpstreamError('status-5xx', `/v2/ answers ${answer.status}`);
    const login = { authorization: basic, expiresIn: undefined, access: undefined, identified: false };
    return grantOf(login, await this.#permissionsOf(login, question));
  }

  #realm(challenge: Challenge, hosts: readonly string[]): URL {
    const { upstream, reach = { own: [upstream], hosts: [] } } = this.#options;
    const { own } = reach;
    const rules = { upstream, reach: { own, hosts: [...reach.hosts, ...hosts] }, key: 'auth.realmHosts' };
    return tokenServiceUrl(challenge, { ...rules, failure: 'malformed' });
  }
}

interface LoginParts {
  basic: string | undefined;
  /** Seconds. */
  expiresIn: number;
  /** A name in a token of Harbor is the user's own, in the spelling of its database or directory. */
  isHarbor: boolean;
}

function loginOf(value: string, told: UserToken | undefined, { basic, expiresIn, isHarbor }: LoginParts): UserLogin {
  const { subject, access, lifetime = expiresIn } = told ?? {};
  const user =
    Buffer.from((basic ?? '').replace(/^basic /i, ''), 'base64')
      .toString('utf8')
      .split(':', 1)[0] ?? '';
  const own =
    basic !== undefined && subject !== undefined && (isHarbor || subject.toLowerCase() === user.toLowerCase());
  return {
    authorization: `Bearer ${value}`,
    expiresIn: Math.min(expiresIn, Math.max(lifetime, MIN_TOKEN_SECONDS)),
    access,
    identified: own,
    ...(isHarbor && basic !== undefined ? { catalogAuthorization: basic } : {}),
  };
}

function tokenServiceFailure(status: number): UpstreamError {
  if (status === 429) return new UpstreamError('rate-limited', 'the token service answers 429 (too many requests)');
  return new UpstreamError('status-5xx', `the token service answers ${status}`);
}

function grantOf(
  { access: _, ...login }: UserLogin,
  { granted, undecided }: Pick<Permissions, 'granted' | 'undecided'>,
): UserGrant {
  return { outcome: 'granted', ...login, granted, undecided };
}

/** For a repository in both answers, the second one counts. */
function mergeAnswers(first: UserAnswer, second: UserAnswer): UserAnswer {
  if (first.outcome === 'refused') return first;
  if (second.outcome === 'refused') return second;
  const again = [...second.granted.map(({ name }) => name), ...second.undecided];
  const own = Object.fromEntries(again.map((name) => [name, second.authorization]));
  const lives = [first, second].flatMap(({ expiresIn }) => expiresIn ?? []);
  return {
    ...first,
    identified: first.identified && second.identified,
    perRepository: { ...first.perRepository, ...own, ...second.perRepository },
    granted: [...first.granted.filter(({ name }) => !again.includes(name)), ...second.granted],
    undecided: [...first.undecided.filter((name) => !again.includes(name)), ...second.undecided],
    expiresIn: lives.length > 0 ? Math.min(...lives) : undefined,
  };
}

function allowedScopes(asked: readonly Scope[], told: readonly Scope[]): Scope[] {
  return asked.flatMap((scope) => {
    const same = told.filter(({ type, name }) => type === scope.type && name === scope.name);
    const allowed = new Set(same.flatMap(({ actions }) => actions));
    const actions = scope.actions.filter((action) => allowed.has('*') || allowed.has(action));
    return actions.length > 0 ? [{ ...scope, actions }] : [];
  });
}
