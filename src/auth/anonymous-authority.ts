import type { UserAnswer } from '../upstream/credentials/user-tokens.ts';
import {
  type AuthorityDecision,
  type AuthorityQuestion,
  type DelegatedAuthorityOptions,
  SICK,
} from './delegated-authority.ts';
import { outageDetail } from './token-issuer.ts';

export interface AnonymousAuthorityOptions extends DelegatedAuthorityOptions {
  /** Whether the authority shows a repository to an Authorization. */
  isShown: (authorization: string, repository: string) => Promise<boolean>;
}

/** New repositories of one question that are remembered. */
const MAX_NEW = 8;
const UNDECIDED = 'the registry no longer opens what it opened to everybody, and may be unable to check it';

/**
 * Asks the authority of `auth.mode: delegate` what it opens to clients without credentials, and remembers it like the grants of a user.
 * A token that opens nothing is no evidence: Harbor gives one while its database is down. So each denial is judged (rule 13).
 */
export class AnonymousAuthority {
  readonly #options: AnonymousAuthorityOptions;

  constructor(options: AnonymousAuthorityOptions) {
    this.#options = options;
  }

  /** @param question its scopes are pulls */
  async decide(question: AuthorityQuestion): Promise<AuthorityDecision> {
    const { askAuthority, grants } = this.#options;
    const at = grants.now();
    let answer: UserAnswer;
    try {
      answer = await askAuthority(undefined, question.scopes);
    } catch (error) {
      return { outcome: 'outage', detail: outageDetail(error) };
    }
    const open = answer.outcome === 'granted' ? answer.granted.map(({ name }) => name) : [];
    const undecided = answer.outcome === 'granted' ? answer.undecided : [];
    const asked = question.scopes.map(({ name }) => name);
    const withheld = asked.filter((name) => !open.includes(name) && !undecided.includes(name));
    const doubt = await this.#judge(question, withheld, at);
    if (doubt === 'sick') return { outcome: 'outage', detail: SICK };
    if (doubt === 'unproven' && open.length === 0) return { outcome: 'undecided', detail: UNDECIDED };
    if (answer.outcome === 'granted') await this.#learn(question, answer, open, at);
    return answer;
  }

  /** Forgets what the authority is proven to have closed. @returns why a denial may mean nothing */
  async #judge(
    { holder }: AuthorityQuestion,
    withheld: readonly string[],
    at: number,
  ): Promise<'sick' | 'unproven' | undefined> {
    const { evidence, grants } = this.#options;
    if (withheld.length === 0) return undefined;
    const known = withheld.filter((name) => grants.pullValidMs(holder, name) > 0);
    if (known.length === 0) {
      const { verdict } = await evidence.judge({ key: undefined });
      return verdict === 'sick' ? verdict : undefined;
    }
    const judged = await Promise.all(
      known.map(async (name) => ({ name, ...(await evidence.judge({ key: grants.keyOf(holder, name) })) })),
    );
    const closed = judged.filter(({ verdict }) => verdict === 'proven').map(({ name }) => name);
    if (grants.revoke(holder, closed, at)) await this.#options.tellPeers();
    const verdicts = judged.map(({ verdict }) => verdict);
    return verdicts.includes('sick') ? 'sick' : verdicts.includes('unproven') ? 'unproven' : undefined;
  }

  /**
   * All clients without credentials share one memory. Harbor opens any name in a public project, so a repository counts only if it is
   * there: otherwise one client could fill the memory with names that it makes up (rule 8).
   */
  async #learn(
    { holder }: AuthorityQuestion,
    { authorization, perRepository = {} }: Extract<UserAnswer, { outcome: 'granted' }>,
    open: readonly string[],
    at: number,
  ): Promise<void> {
    const { evidence, grants, isShown } = this.#options;
    const known = open.filter((name) => grants.pullValidMs(holder, name) > 0);
    const unknown = open.filter((name) => !known.includes(name)).slice(0, MAX_NEW);
    const shown = await Promise.all(unknown.map((name) => isShown(perRepository[name] ?? authorization, name)));
    const lasting = [...known, ...unknown.filter((_, index) => shown[index])];
    if (lasting.length > 0) grants.remember(holder, lasting, at);
    for (const name of lasting) evidence.forget(grants.keyOf(holder, name));
  }
}
