import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../oci/scope.ts';
import type { Denial, Judgement } from '../upstream/credentials/denial-judge.ts';
import type { UserAnswer } from '../upstream/credentials/user-tokens.ts';
import type { GrantHolder, Grants } from './grants.ts';
import { outageDetail } from './token-issuer.ts';

/** What an authority's denials prove; see `DenialJudge`. */
export interface DenialEvidence {
  judge(denial: Denial): Promise<Judgement>;
  forget(key: string): void;
}

export interface DelegatedAuthorityOptions {
  /** @throws an error whose `summary` says why the authority cannot be reached */
  askAuthority: (basic: string | undefined, scopes: readonly Scope[]) => Promise<UserAnswer>;
  evidence: DenialEvidence;
  grants: Grants;
  /** Tells the other edges of the site what was taken back. Resolves when they have heard, or soon after. */
  tellPeers: () => Promise<void>;
  /** Milliseconds until a name that may be locked is tried again. Default: beyond Harbor's lock. */
  afterLockMs?: number;
}

/** A question about one user. */
export interface AuthorityQuestion {
  holder: GrantHolder;
  scopes: readonly Scope[];
  /** The Authorization that the authority gets. Default: name and password of the holder. */
  authorization?: string;
  /** Who the holder is was not proven, so nothing is remembered of it. */
  isUnproven?: boolean;
}

/**
 * `refused`: the password is wrong. `outage`: the authority cannot tell, so what it granted before counts. `undecided`: it refuses a
 * password that was right, and may be wrong itself; nothing is granted.
 */
export type AuthorityDecision =
  | Extract<UserAnswer, { outcome: 'granted' }>
  | { outcome: 'refused' }
  | { outcome: 'outage' | 'undecided'; detail: string };

/** Beyond the moment for which Harbor locks a name after a wrong password. */
const AFTER_LOCK_MS = 1600;
export const SICK = 'the registry refuses every login';
const UNDECIDED = 'the registry refuses a password that was right before, and may be unable to check it';

/**
 * Asks the authority of `auth.mode: delegate` about its users, and remembers what it granted. What it granted before is forgotten only on
 * evidence that it is well (rule 13): a token with the user's own name shows that its database answered, and what such a token does not
 * grant is forgotten at once. All other denials are judged.
 */
export class DelegatedAuthority {
  readonly #options: DelegatedAuthorityOptions;

  constructor(options: DelegatedAuthorityOptions) {
    this.#options = options;
  }

  async decide(question: AuthorityQuestion): Promise<AuthorityDecision> {
    const first = await this.#ask(question);
    if (first !== 'locked') return first;
    // Another client may have tried a wrong password under this name, and then the right one is refused for a moment.
    await sleep(this.#options.afterLockMs ?? AFTER_LOCK_MS, undefined, { ref: false });
    const second = await this.#ask(question);
    return second === 'locked' ? { outcome: 'undecided', detail: UNDECIDED } : second;
  }

  async #ask(question: AuthorityQuestion): Promise<AuthorityDecision | 'locked'> {
    const { holder, scopes, authorization = basicHeader(holder), isUnproven } = question;
    const { askAuthority, grants } = this.#options;
    const at = grants.now();
    let answer: UserAnswer;
    try {
      answer = await askAuthority(authorization, scopes);
    } catch (error) {
      return { outcome: 'outage', detail: outageDetail(error) };
    }
    if (answer.outcome === 'refused') return this.#refused(question, answer.tookMs, at);
    if (!isUnproven) await this.#learn(holder, scopes, answer, at);
    return answer;
  }

  async #refused(
    { holder, isUnproven }: AuthorityQuestion,
    tookMs: number | undefined,
    at: number,
  ): Promise<AuthorityDecision | 'locked'> {
    const { evidence, grants } = this.#options;
    const known = !isUnproven && grants.passwordValidMs(holder) > 0;
    const { verdict, mayBeLocked } = await evidence.judge({ key: known ? grants.keyOf(holder) : undefined, tookMs });
    if (verdict === 'sick') return { outcome: 'outage', detail: SICK };
    if (known && verdict === 'unproven') return mayBeLocked ? 'locked' : { outcome: 'undecided', detail: UNDECIDED };
    if (!isUnproven && grants.revoke(holder, undefined, at)) await this.#options.tellPeers();
    return { outcome: 'refused' };
  }

  async #learn(
    holder: GrantHolder,
    scopes: readonly Scope[],
    { granted, undecided, identified }: Extract<UserAnswer, { outcome: 'granted' }>,
    at: number,
  ): Promise<void> {
    const { evidence, grants } = this.#options;
    const asked = scopes
      .filter(({ type, actions }) => type === 'repository' && actions.includes('pull'))
      .map(({ name }) => name);
    const pulls = new Set(granted.filter(({ actions }) => actions.includes('pull')).map(({ name }) => name));
    const open = asked.filter((name) => pulls.has(name));
    grants.remember(holder, open, at);
    for (const name of [undefined, ...open]) evidence.forget(grants.keyOf(holder, name));
    const withheld = asked.filter((name) => !pulls.has(name) && !undecided.includes(name));
    const known = withheld.filter((name) => grants.pullValidMs(holder, name) > 0);
    const judged = known.map(async (name) => {
      if (identified) return [name];
      const { verdict } = await evidence.judge({ key: grants.keyOf(holder, name) });
      return verdict === 'proven' ? [name] : [];
    });
    if (grants.revoke(holder, (await Promise.all(judged)).flat(), at)) await this.#options.tellPeers();
  }
}

function basicHeader({ user, password }: GrantHolder): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
