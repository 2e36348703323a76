import type { ClientSite } from '../client-site.ts';

/** What `docker login` keeps for the edge, as in `~/.docker/config.json`. Undefined without a user. */
export function loginOf({ host, user }: ClientSite): string | undefined {
  if (!user) return undefined;
  const auth = Buffer.from(`${user.name}:${user.password}`).toString('base64');
  return JSON.stringify({ auths: { [host]: { auth } } });
}

/** A login for this host and no other, with any user: an extended regular expression of JavaScript and of grep. */
export function loginPattern(host: string): string {
  return `^[{]"auths":[{]"${host.replace(/[.[\]]/g, '\\$&')}":[{]"auth":"[A-Za-z0-9+/=]+"}}}$`;
}
