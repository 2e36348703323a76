/** A resource scope of the Docker token protocol: `repository:library/app:pull,push`. */
export interface Scope {
  type: string;
  name: string;
  actions: string[];
}

/** `repository(plugin)` is a repository too: in the token protocol a type may have a class. */
const OF_REPOSITORY = /^repository(\([^()]*\))?$/;

/** Parses one scope. The name may contain a colon (a port), so the text is split at its first and last colon. */
export function parseScope(text: string): Scope | undefined {
  const first = text.indexOf(':');
  const last = text.lastIndexOf(':');
  if (first <= 0 || last <= first + 1) return undefined;
  const actions = text
    .slice(last + 1)
    .split(',')
    .filter((action) => action !== '');
  return { type: text.slice(0, first), name: text.slice(first + 1, last), actions: [...new Set(actions)] };
}

export function formatScope({ type, name, actions }: Scope): string {
  return `${type}:${name}:${actions.join(',')}`;
}

/** Merges scopes of the same type and name. */
export function mergeScopes(scopes: readonly Scope[]): Scope[] {
  const merged = new Map<string, Scope>();
  for (const { type, name, actions } of scopes) {
    const key = `${type}:${name}`;
    merged.set(key, { type, name, actions: [...new Set([...(merged.get(key)?.actions ?? []), ...actions])] });
  }
  return [...merged.values()];
}

/** Renames the repositories in a space-separated scope list; scopes without a counterpart are dropped. */
export function renameScopes(scopes: string, rename: (repository: string) => string | undefined): string {
  const renamed = scopes.split(' ').map((text) => {
    const scope = parseScope(text);
    if (!scope || !OF_REPOSITORY.test(scope.type)) return text;
    const name = rename(scope.name);
    return name === undefined ? '' : formatScope({ ...scope, name });
  });
  return renamed.filter((text) => text !== '').join(' ');
}
