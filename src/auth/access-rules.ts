import { type Action, parseAccessRule } from '../config/access-rule.ts';
import { NamePattern } from './name-pattern.ts';

/** Rules of everybody who has a name. */
const ALL_USERS = '*';

interface Rule {
  names: NamePattern;
  actions: ReadonlySet<Action>;
}

/** Who may do what to which repositories. */
export class AccessRules {
  readonly #rules: ReadonlyMap<string, readonly Rule[]>;
  readonly #groups: ReadonlyMap<string, readonly string[]>;

  /**
   * @param access rules of users, of groups (`@name`) and of all users (`*`)
   * @param groups group -> users
   */
  constructor(access: Record<string, readonly string[]>, groups: Record<string, readonly string[]>) {
    this.#rules = new Map(Object.entries(access).map(([who, rules]) => [who, rules.flatMap(parseRule)]));
    const pairs = Object.entries(groups).flatMap(([group, users]) => users.map((user) => ({ group, user })));
    const byUser = Map.groupBy(pairs, ({ user }) => user);
    this.#groups = new Map([...byUser].map(([user, of]) => [user, of.map(({ group }) => `@${group}`)]));
  }

  /** @param repository as clients name it, below its registry's name if that is not the edge's own */
  allows(user: string, repository: string, action: Action): boolean {
    return [user, ...(this.#groups.get(user) ?? []), ALL_USERS].some((who) =>
      this.#rules.get(who)?.some((rule) => rule.actions.has(action) && rule.names.matches(repository)),
    );
  }
}

function parseRule(text: string): Rule[] {
  const rule = parseAccessRule(text);
  return rule ? [{ names: new NamePattern(rule.pattern), actions: new Set(rule.actions) }] : [];
}
