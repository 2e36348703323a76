import { parseAccessRule } from './access-rule.ts';
import { BREAK_GLASS, isBreakGlassName } from './htpasswd.ts';
import type { KeyFinding } from './key-path.ts';
import type { Config } from './schema.ts';

/** Rules without effect in `auth.mode: delegate`: they are for break-glass users, which only pull. */
export function breakGlassWarnings({ auth: { access, groups } }: Config): KeyFinding[] {
  const findings: KeyFinding[] = [];
  const checkUser = (path: KeyFinding['path'], user: string) => {
    if (isBreakGlassName(user)) return;
    findings.push({
      path,
      message: `${user} is not a break-glass user; rules in auth.mode delegate apply only to break-glass users`,
      remedy: `use a name from auth.breakGlassFile, such as ${user}${BREAK_GLASS}`,
    });
  };
  for (const [group, users] of Object.entries(groups))
    for (const [index, user] of users.entries()) checkUser(['auth', 'groups', group, index], user);
  for (const [holder, rules] of Object.entries(access)) {
    if (holder !== '*' && !holder.startsWith('@')) checkUser(['auth', 'access', holder], holder);
    for (const [index, rule] of rules.entries()) {
      const surplus = (parseAccessRule(rule)?.actions ?? []).filter((action) => action !== 'pull');
      if (surplus.length === 0) continue;
      findings.push({
        path: ['auth', 'access', holder, index],
        message: `break-glass users can only pull; ${surplus.join(' and ')} has no effect`,
        remedy: 'keep only pull: every push is refused while the primary is down',
      });
    }
  }
  return findings;
}
