import { type Action, parseAccessRule } from '../config/access-rule.ts';
import { NamePattern } from './name-pattern.ts';

/** Holder of the rules for every user. */
const ALL_USERS = '*';

interface Rule {
  names: NamePattern;
  actions: ReadonlySet<Action>;
}

/** Which user may do what in which repositories (`auth.access` and `auth.groups`). */
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

  /** @param repository the name that clients use; for other registries it begins with the registry's name */
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
