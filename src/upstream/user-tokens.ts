import { type Challenge, parseChallenges } from '../oci/challenge.ts';
import { formatScope, parseScope, type Scope } from '../oci/scope.ts';
import { readJson } from './body.ts';
import type { Answer } from './client.ts';
import { sameHost } from './host.ts';
import { UpstreamError } from './upstream-error.ts';

/** What an upstream says of one of its users. */
export type UserAnswer =
  | {
      outcome: 'granted';
      /** What opens it to that user. */
      authorization: string;
      /** What the user may do of what was asked, in the upstream's names. */
      granted: Scope[];
      /** Seconds; undefined: as long as the password is right. */
      expiresIn: number | undefined;
    }
  | { outcome: 'refused' };

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
const MIN_SECONDS = 60;
/** How long a challenge is taken for what the upstream still says. */
const FRESH_MS = 300_000;
/** Tag lists that are read for one login at a time. */
const LISTS_AT_ONCE = 8;

/** Asks an upstream about its own users: by its token service (Docker token protocol, GET), or by Basic. */
export class UserTokens {
  readonly #options: UserTokensOptions;
  #learnt: { challenge: Challenge; at: number } | undefined;

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
    const { basic, scopes, realmHosts, signal } = question;
    const realm = this.#realm(challenge, realmHosts);
    for (const scope of scopes) realm.searchParams.append('scope', formatScope(scope));
    const headers = { accept: 'application/json', authorization: basic };
    const answer = await this.#options.sendElsewhere(realm, headers, signal);
    if (answer.status === 200) return this.#granted(await readJson(answer.body, MAX_BODY), question);
    await answer.body.dump({ limit: 65_536 });
    // It may have moved.
    if (answer.status !== 429) this.#learnt = undefined;
    if (answer.status !== 401 && answer.status !== 403) throw unwell(answer.status);
    // A dead database makes every password wrong: what it says counts only if it still knows how to ask.
    await this.#learn(signal);
    return { outcome: 'refused' };
  }

  async #granted(reply: unknown, question: UserQuestion): Promise<UserAnswer> {
    const fields: Record<string, unknown> = typeof reply === 'object' && reply !== null ? { ...reply } : {};
    const token = fields.token ?? fields.access_token;
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
      throw new UpstreamError('malformed', 'the token service sent no token');
    const authorization = `Bearer ${token}`;
    const expiresIn = typeof fields.expires_in === 'number' ? Math.max(fields.expires_in, MIN_SECONDS) : MIN_SECONDS;
    const told = accessIn(token);
    const granted = told ? intersection(question.scopes, told) : await this.#tried(authorization, question);
    return { outcome: 'granted', authorization, granted, expiresIn };
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
    const granted = await this.#tried(basic, question);
    return { outcome: 'granted', authorization: basic, granted, expiresIn: undefined };
  }

  /**
   * What a token that says nothing opens is found out by reading. Whether it may write is the upstream's to say when it does: nobody
   * else is written to.
   */
  async #tried(authorization: string, { scopes, signal, turn }: UserQuestion): Promise<Scope[]> {
    const repositories = scopes.filter(({ type }) => type === 'repository');
    const granted = new Map<Scope, Scope>();
    const left = repositories.values();
    let failed = false;
    const reader = async () => {
      for (const scope of left) {
        if (failed) return;
        const over = await turn();
        const readable = await this.#readable(scope, authorization, signal).finally(over);
        const actions = scope.actions.filter((action) => action !== 'pull' || readable);
        if (actions.length > 0) granted.set(scope, { ...scope, actions });
      }
    };
    const readers = Array.from({ length: LISTS_AT_ONCE }, () =>
      reader().catch((error: unknown) => {
        failed = true;
        throw error;
      }),
    );
    await Promise.all(readers);
    return repositories.flatMap((scope) => granted.get(scope) ?? []);
  }

  async #readable({ name }: Scope, authorization: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#options.send(`/v2/${name}/tags/list?n=1`, { authorization }, signal);
    await answer.body.dump({ limit: 65_536 });
    if (answer.status >= 500 || answer.status === 429)
      throw new UpstreamError('status-5xx', `a tag list answers ${answer.status}`);
    if (answer.status === 401 && parseChallenges(answer.headers.joined('www-authenticate')).length === 0)
      throw new UpstreamError('authority-dead', 'a tag list answers 401 without a way to log in');
    return answer.status === 200 || answer.status === 404;
  }

  /** Passwords go to the upstream's own host, or to one that is named for it, and in the clear only to an upstream that is plain itself. */
  #realm({ parameters }: Challenge, realmHosts: readonly string[]): URL {
    const { upstream } = this.#options;
    const { realm: text = '', service } = parameters;
    const realm = URL.canParse(text) ? new URL(text) : undefined;
    if (!realm || !/^https?:$/.test(realm.protocol))
      throw new UpstreamError('malformed', 'the challenge names no usable token service');
    if (realm.protocol === 'http:' && upstream.protocol === 'https:')
      throw new UpstreamError('malformed', `the token service at ${realm.host} is not https`);
    if (![upstream.hostname, ...realmHosts].some((host) => sameHost(host, realm.hostname)))
      throw new UpstreamError(
        'malformed',
        `the token service is on ${realm.hostname}, which auth.realmHosts does not name`,
      );
    if (service !== undefined) realm.searchParams.set('service', service);
    return realm;
  }
}

function unwell(status: number): UpstreamError {
  if (status === 429) return new UpstreamError('rate-limited', 'the token service has too much to do');
  return new UpstreamError('status-5xx', `the token service answers ${status}`);
}

/** What a JWT says that it opens; undefined for other tokens. It came from its issuer, so that its signature needs no proof here. */
function accessIn(token: string): Scope[] | undefined {
  const payload = token.split('.')[1];
  if (payload === undefined) return undefined;
  try {
    const { access }: { access?: unknown } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (access === null || access === undefined) return [];
    if (!Array.isArray(access)) return undefined;
    return access.flatMap(({ type, name, actions }) =>
      typeof type === 'string' && typeof name === 'string' && Array.isArray(actions)
        ? (parseScope(`${type}:${name}:${actions.join(',')}`) ?? [])
        : [],
    );
  } catch {
    return undefined;
  }
}

function intersection(asked: readonly Scope[], told: readonly Scope[]): Scope[] {
  return asked.flatMap((scope) => {
    const same = told.filter(({ type, name }) => type === scope.type && name === scope.name);
    const allowed = new Set(same.flatMap(({ actions }) => actions));
    const actions = scope.actions.filter((action) => allowed.has('*') || allowed.has(action));
    return actions.length > 0 ? [{ ...scope, actions }] : [];
  });
}
