import type { LabAuth, LabUser } from '../../src/lab/access.ts';
import { basic, bearer, KEY, probe } from './forward-site.ts';
import type { Client, Reply } from './http1-client.ts';
import { INNER, type LabSite, startLabSite } from './lab-site.ts';
import type { Owner } from './temporary-folder.ts';

export const ANN = basic('ann', 'Tr0ub4dor&3');
export const BOB = basic('bob', 'hunter2');
export const ROBOT = basic('robot$library+ci', 'r0bot-secret');

/** A Harbor with users, robots and a public project, behind an edge that lets it decide. */
export interface HarborUsers {
  site: LabSite;
  client: Client;
  /** As Harbor knows them; a test changes them. */
  users: LabUser[];
  /** Asks the edge's token service. */
  login(authorization: string, scope?: string, more?: Record<string, string>): Promise<Reply>;
  /** Pulls with a token, as clients do. @returns the status of what failed, or where the manifest came from */
  pull(authorization: string, repository?: string): Promise<string | number>;
}

export interface HarborUsersOptions {
  lab?: Partial<LabAuth>;
  /** Of the edge. */
  auth?: Record<string, unknown>;
  probe?: Record<string, unknown>;
}

export async function startHarborUsers(owner: Owner, options: HarborUsersOptions = {}): Promise<HarborUsers> {
  const users: LabUser[] = [
    { username: 'ann', password: 'Tr0ub4dor&3' },
    { username: 'bob', password: 'hunter2' },
    { username: 'robot$library+ci', password: 'r0bot-secret', repositories: [`${INNER}library/`], actions: ['pull'] },
    { username: 'robot$probe', password: 'pr0be-secret' },
  ];
  const site = await startLabSite(owner, {
    primary: { harbor: true, auth: { scheme: 'bearer', users, anonymous: [`${INNER}public/`], ...options.lab } },
    harbor: { credentials: 'forward', probe: { ...probe, kind: 'harbor', ...options.probe } },
    fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
    gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
    settings: { secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } } },
    config: { auth: { mode: 'delegate', ...options.auth } },
  });
  const client = site.edge.http1();
  const login: HarborUsers['login'] = (authorization, scope = 'repository:library/app:pull', more = {}) => {
    const query = new URLSearchParams({ service: 'edge.test', ...(scope === '' ? {} : { scope }), ...more });
    return client.ask(`/auth/token?${query}`, { headers: { authorization } });
  };
  const pull: HarborUsers['pull'] = async (authorization, repository = 'library/app') => {
    const token = await login(authorization, `repository:${repository}:pull`);
    if (token.status !== 200) return token.status;
    const path = `/v2/${repository}/manifests/1`;
    const reply = await client.ask(path, { headers: { authorization: bearer(token) } });
    return reply.status === 200 ? String(reply.headers['x-breakwater-upstream']) : reply.status;
  };
  return { site, client, users, login, pull };
}
