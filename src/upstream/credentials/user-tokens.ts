import { type Challenge, parseChallenges } from '../../oci/challenge.ts';
import { formatScope, type Scope } from '../../oci/scope.ts';
import { readJson } from '../body/read-body.ts';
import type { Answer } from '../client.ts';
import { UpstreamError } from '../upstream-error.ts';
import { type Found, tryTagLists } from './tag-list-permission.ts';
import { tokenServiceUrl } from './token-service.ts';
import { readUserToken, type UserToken } from './user-token.ts';

interface Granted {
  outcome: 'granted';
  /** What opens it to that user. */
  authorization: string;
  /** Repositories that something else opens, where tokens are for one of them. */
  others?: Record<string, string>;
  /** What the user may do of what was asked, in the upstream's names. */
  granted: Scope[];
  /** Repositories whose pull is neither granted nor withheld: none is there, or they were too many to ask for. */
  undecided: string[];
  /** Seconds; undefined: as long as the password is right. */
  expiresIn: number | undefined;
}

/** What an upstream says of one of its users. */
export type UserAnswer = Granted | { outcome: 'refused' };

/** How users log in there: at a token service on that host, or with Basic. */
export type LoginWay = { by: 'token'; host: string } | { by: 'basic' };

/** What is to be found out about a user. */
export interface UserQuestion {
  /** The user's own Authorization. */
  basic: string;
  scopes: readonly Scope[];
  /** Further hosts whose token service may be given it. */
  realmHosts: readonly string[];
  /** Bounds all of it. */
  signal: AbortSignal;
  /** Resolves when one more request may be made of the upstream, with what ends it. */
  turn: () => Promise<() => void>;
}

export interface UserTokensOptions {
  upstream: URL;
  /** To the upstream itself, below its base path. */
  send: (path: string, headers: Record<string, string>, signal: AbortSignal) => Promise<Answer>;
  sendElsewhere: (url: URL, headers: Record<string, string>, signal: AbortSignal) => Promise<Answer>;
}

const MAX_BODY = 262_144;
/** How long a challenge is taken for what the upstream still says. */
const FRESH_MS = 300_000;
/** Tokens for one login, where each is for one scope: with more of them the edge's own would be too long. */
const MAX_ALONE = 4;

/** Asks an upstream about its own users: by its token service (Docker token protocol, GET), or by Basic. */
export class UserTokens {
  readonly #options: UserTokensOptions;
  #learnt: { challenge: Challenge; at: number } | undefined;
  /** The token service answered 400 to several scopes at once. */
  #oneByOne = false;

  constructor(options: UserTokensOptions) {
    this.#options = options;
  }

  /** @throws UpstreamError where the upstream cannot say; the signal's reason */
  async ask(question: UserQuestion): Promise<UserAnswer> {
    const fresh = this.#learnt && Date.now() - this.#learnt.at < FRESH_MS ? this.#learnt.challenge : undefined;
    const challenge = fresh ?? (await this.#learn(question.signal));
    return challenge.scheme === 'basic' ? this.#askByBasic(question) : this.#askForToken(challenge, question);
  }

  /**
   * Whether users could be asked about now, found out without showing anything of anybody's.
   * @throws UpstreamError where they could not; the signal's reason
   */
  async reach(realmHosts: readonly string[], signal: AbortSignal): Promise<LoginWay> {
    const challenge = await this.#learn(signal);
    if (challenge.scheme === 'basic') return { by: 'basic' };
    const realm = this.#realm(challenge, realmHosts);
    const answer = await this.#options.sendElsewhere(realm, { accept: 'application/json' }, signal);
    await answer.body.dump({ limit: 65_536 });
    // Nobody in particular is refused, or given a token for nothing.
    if (![200, 400, 401, 403].includes(answer.status)) throw unwell(answer.status);
    return { by: 'token', host: realm.host };
  }

  /** @throws UpstreamError `authority-dead` where it asks for nothing that a user could give (Harbor with its database down) */
  async #learn(signal: AbortSignal): Promise<Challenge> {
    const answer = await this.#options.send('/v2/', {}, signal);
    await answer.body.dump({ limit: 65_536 });
    if (answer.status >= 500) throw new UpstreamError('status-5xx', `/v2/ answers ${answer.status}`);
    const challenges = parseChallenges(answer.headers.joined('www-authenticate'));
    const challenge =
      challenges.find((one) => one.scheme === 'bearer' && one.parameters.realm !== undefined) ??
      challenges.find((one) => one.scheme === 'basic');
    if (answer.status !== 401 || !challenge) {
      this.#learnt = undefined;
      throw new UpstreamError('authority-dead', `/v2/ answers ${answer.status} without a way to log in`);
    }
    this.#learnt = { challenge, at: Date.now() };
    return challenge;
  }

  async #askForToken(challenge: Challenge, question: UserQuestion): Promise<UserAnswer> {
    const { scopes } = question;
    if (this.#oneByOne && scopes.length > 1) return this.#askAlone(challenge, question);
    const reply = await this.#token(challenge, question);
    if (reply === 'refused') return { outcome: 'refused' };
    if (reply === 'not so')
      return scopes.length > 1 ? this.#askAlone(challenge, question) : this.#login(challenge, question);
    const { withheld, ...found } = await this.#found(reply, question);
    const answer = grantedBy(reply, found);
    // Some services heed only one scope of several.
    if (reply.told || scopes.length < 2 || withheld.length === 0) return answer;
    return joined(answer, await this.#askAlone(challenge, { ...question, scopes: withheld }));
  }

  /** Scope by scope, as Artifact Registry wants it. */
  async #askAlone(challenge: Challenge, question: UserQuestion): Promise<UserAnswer> {
    const answers = await Promise.all(
      question.scopes.slice(0, MAX_ALONE).map(async (scope): Promise<UserAnswer[]> => {
        const one = { ...question, scopes: [scope] };
        const reply = await this.#token(challenge, one);
        if (reply === 'not so') return [];
        return reply === 'refused' ? [{ outcome: reply }] : [grantedBy(reply, await this.#found(reply, one))];
      }),
    );
    const [first = await this.#login(challenge, question), ...others] = answers.flat();
    const all = others.reduce(joined, first);
    if (all.outcome === 'refused') return all;
    return { ...all, undecided: [...all.undecided, ...question.scopes.slice(MAX_ALONE).map(({ name }) => name)] };
  }

  /** Asks for nothing but whether the password is right. */
  async #login(challenge: Challenge, question: UserQuestion): Promise<UserAnswer> {
    const reply = await this.#token(challenge, { ...question, scopes: [] });
    return typeof reply === 'string' ? { outcome: 'refused' } : grantedBy(reply, { granted: [], undecided: [] });
  }

  /** `not so`: the user may not do that, or it is not to be asked for at once. */
  async #token(
    challenge: Challenge,
    { basic, scopes, realmHosts, signal }: UserQuestion,
  ): Promise<UserToken | 'refused' | 'not so'> {
    const realm = this.#realm(challenge, realmHosts);
    for (const scope of scopes) realm.searchParams.append('scope', formatScope(scope));
    const headers = { accept: 'application/json', authorization: basic };
    const answer = await this.#options.sendElsewhere(realm, headers, signal);
    if (answer.status === 200) return readUserToken(await readJson(answer.body, MAX_BODY), realm.host);
    await answer.body.dump({ limit: 65_536 });
    if (answer.status === 400 && scopes.length > 1) {
      this.#oneByOne = true;
      return 'not so';
    }
    // Artifact Registry says so of a repository that the user may not pull.
    if (answer.status === 403 && scopes.length > 0) return 'not so';
    // It may have moved.
    if (answer.status !== 429) this.#learnt = undefined;
    if (answer.status !== 401 && answer.status !== 403) throw unwell(answer.status);
    // A dead database makes every password wrong: what it says counts only if it still knows how to ask.
    await this.#learn(signal);
    return 'refused';
  }

  async #found({ told, authorization }: UserToken, question: UserQuestion): Promise<Found> {
    if (!told) return this.#tried(authorization, question);
    return { granted: intersection(question.scopes, told), undecided: [], withheld: [] };
  }

  async #askByBasic(question: UserQuestion): Promise<UserAnswer> {
    const { basic, signal } = question;
    const answer = await this.#options.send('/v2/', { authorization: basic }, signal);
    await answer.body.dump({ limit: 65_536 });
    if (answer.status === 401 || answer.status === 403) {
      await this.#learn(signal);
      return { outcome: 'refused' };
    }
    if (answer.status !== 200) throw new UpstreamError('status-5xx', `/v2/ answers ${answer.status}`);
    return grantedBy({ authorization: basic, expiresIn: undefined }, await this.#tried(basic, question));
  }

  #tried(authorization: string, { scopes, signal, turn }: UserQuestion): Promise<Found> {
    return tryTagLists(scopes, { read: (path) => this.#options.send(path, { authorization }, signal), turn });
  }

  #realm(challenge: Challenge, hosts: readonly string[]): URL {
    const { upstream } = this.#options;
    return tokenServiceUrl(challenge, { upstream, hosts, key: 'auth.realmHosts', failure: 'malformed' });
  }
}

function unwell(status: number): UpstreamError {
  if (status === 429) return new UpstreamError('rate-limited', 'the token service has too much to do');
  return new UpstreamError('status-5xx', `the token service answers ${status}`);
}

function grantedBy(
  { authorization, expiresIn }: Pick<Granted, 'authorization' | 'expiresIn'>,
  { granted, undecided }: Pick<Found, 'granted' | 'undecided'>,
): Granted {
  return { outcome: 'granted', authorization, granted, undecided, expiresIn };
}

/** What is said of a repository the second time counts. */
function joined(first: UserAnswer, second: UserAnswer): UserAnswer {
  if (first.outcome === 'refused' || second.outcome === 'refused') return { outcome: 'refused' };
  const again = [...second.granted.map(({ name }) => name), ...second.undecided];
  const own = Object.fromEntries(again.map((name) => [name, second.authorization]));
  const lives = [first, second].flatMap(({ expiresIn }) => expiresIn ?? []);
  return {
    ...first,
    others: { ...first.others, ...own, ...second.others },
    granted: [...first.granted.filter(({ name }) => !again.includes(name)), ...second.granted],
    undecided: [...first.undecided.filter((name) => !again.includes(name)), ...second.undecided],
    expiresIn: lives.length > 0 ? Math.min(...lives) : undefined,
  };
}

function intersection(asked: readonly Scope[], told: readonly Scope[]): Scope[] {
  return asked.flatMap((scope) => {
    const same = told.filter(({ type, name }) => type === scope.type && name === scope.name);
    const allowed = new Set(same.flatMap(({ actions }) => actions));
    const actions = scope.actions.filter((action) => allowed.has('*') || allowed.has(action));
    return actions.length > 0 ? [{ ...scope, actions }] : [];
  });
}
