import type { ClientSite } from '../client-site.ts';

/** What `docker login` keeps for the edge, as in `~/.docker/config.json`. Undefined without a user. */
export function loginOf({ host, user }: ClientSite): string | undefined {
  if (!user) return undefined;
  const auth = Buffer.from(`${user.name}:${user.password}`).toString('base64');
  return JSON.stringify({ auths: { [host]: { auth } } });
}
