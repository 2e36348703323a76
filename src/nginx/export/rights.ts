import { parseAccessRule } from '../../config/access-rule.ts';
import type { Config, RouteConfig } from '../../config/schema.ts';

/** Whether every client that gets in may do this with every repository of a route: nginx knows users, but no rights of users. */
export function mayEverybody(
  { auth }: Config,
  { prefix, registry }: RouteConfig,
  action: 'pull' | 'push' | 'delete',
): boolean {
  if (auth.mode !== 'htpasswd') return true;
  const place = registry === undefined ? '' : `${registry}/`;
  const patterns = ['**', `${place}**`, `${place}${prefix}**`];
  return (auth.access['*'] ?? []).some((text) => {
    const rule = parseAccessRule(text);
    return rule !== undefined && patterns.includes(rule.pattern) && rule.actions.includes(action);
  });
}
