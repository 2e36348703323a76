import type { LabAuth } from '../../src/lab/access.ts';
import { parseChallenges } from '../../src/oci/challenge.ts';
import { PROBE } from './edge-in-process.ts';
import type { Client, Reply } from './http1-client.ts';
import type { LabSiteOptions } from './lab-site.ts';

export const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
/** A client's own credentials. */
export const ANN = basic('ann', 'Tr0ub4dor&3');
export const BEARER: LabAuth = {
  scheme: 'bearer',
  users: [
    { username: 'ann', password: 'Tr0ub4dor&3' },
    { username: 'robot$probe', password: 'pr0be-secret' },
  ],
};
/** A key file is a password with line ends in it. */
export const KEY = '{\n  "type": "service_account",\n  "private_key": "-----BEGIN PRIVATE KEY-----\\nc0ffee\\n"\n}\n';
/** With credentials of its own, since those of clients are not its. */
export const probe = { ...PROBE, credentials: { username: 'robot$probe', passwordFile: 'x' } };

/** Harbor gets the clients' own credentials, the cloud registry a key file. */
export const FORWARD: LabSiteOptions = {
  primary: { harbor: true, auth: BEARER },
  harbor: { credentials: 'forward', probe: { ...probe, kind: 'harbor' } },
  fallback: { auth: { scheme: 'bearer', tokenPath: '/v2/token', users: [{ username: '_json_key', password: KEY }] } },
  gcr: { credentials: { username: '_json_key', passwordFile: 'x' } },
  settings: { secrets: { harbor: { probePassword: 'pr0be-secret' }, gcr: { password: KEY } } },
};

/** The first challenge of a reply. */
export function challengeOf({ headers }: Reply) {
  const [challenge] = parseChallenges(String(headers['www-authenticate']));
  const { realm = '', service, scope } = challenge?.parameters ?? {};
  return { scheme: challenge?.scheme, realm, service, scope };
}

/** Gets a token as a client does that was challenged. */
export async function tokenFor(client: Client, reply: Reply, authorization = ANN): Promise<Reply> {
  const { realm, service, scope } = challengeOf(reply);
  const url = new URL(realm);
  url.searchParams.set('service', service ?? '');
  if (scope) url.searchParams.set('scope', scope);
  return client.ask(url.pathname + url.search, { headers: { authorization } });
}

/** The Authorization that a token makes. */
export const bearer = (reply: Reply) => `Bearer ${JSON.parse(reply.body.toString()).token}`;

/** What must be in no log: passwords, as they are and as they travel, and tokens. */
export function secrets(...more: string[]): string[] {
  return ['Tr0ub4dor', 'pr0be-secret', 'c0ffee', ANN.slice(6), basic('_json_key', KEY).slice(6, 60), ...more];
}
