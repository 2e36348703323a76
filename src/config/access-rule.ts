/** Actions on a repository, as in scopes of the token protocol. */
export const ACTIONS = ['pull', 'push', 'delete'] as const;
export type Action = (typeof ACTIONS)[number];

/** One rule: these actions on repositories that match the pattern. */
export interface AccessRule {
  pattern: string;
  actions: readonly Action[];
}

const PATTERN = /^(\*\*|[a-z0-9._*-]+(\/(\*\*|[a-z0-9._*-]+))*)$/;

/** Parses `library/** pull,push`; undefined: malformed. */
export function parseAccessRule(text: string): AccessRule | undefined {
  const [pattern = '', list = '', ...rest] = text.trim().split(/\s+/);
  const actions = list.split(',').filter((one): one is Action => ACTIONS.some((action) => action === one));
  if (!PATTERN.test(pattern) || rest.length > 0 || actions.length === 0 || actions.length !== list.split(',').length)
    return undefined;
  return { pattern, actions };
}
