import type { AuthorityUsers } from '../helpers/authority-users.ts';
import type { ClientUser } from '../helpers/container-client.ts';
import { CLIENTS } from './client.ts';

const BOTH = ['pull', 'push'];
const MAY: Record<string, Record<string, readonly string[]>> = {
  alice: { 'library/': BOTH },
  bob: { 'library/open': ['pull'] },
  robot$probe: { 'library/': BOTH },
};

/** Who there is, by name: alice may do everything in library/, bob may pull library/open, robot$probe is the edge's, carol is guessed at. */
export const PASSWORDS: Record<string, string> = {
  ...Object.fromEntries(Object.keys(CLIENTS).map((client) => [guessedOf(client), 'never told'])),
  alice: 'correct horse:battery',
  bob: 'staple "&%',
  robot$probe: 'probing',
};

/** The name at which a client guesses: one each, since there is a limit to how often one may. */
export function guessedOf(client: string): string {
  return `carol-${client}`;
}

export const PROBE = 'robot$probe';

export function usersWith(passwords: Record<string, string>): AuthorityUsers {
  return Object.fromEntries(
    Object.entries(passwords).map(([name, password]) => [name, { password, may: MAY[name] ?? {} }]),
  );
}

/** What Google's services take for a password: a file of several lines, without the last line end. */
export function keyFileOf(name: string): string {
  return JSON.stringify(
    { type: 'service_account', client_id: name, private_key: `-----BEGIN-----\n${name}\n` },
    undefined,
    2,
  );
}

export function userNamed(name: string): ClientUser {
  return { name, password: PASSWORDS[name] ?? '' };
}

/** What may stand in no log: passwords, as they are and as they travel, keys and tokens. */
export const SECRETS: readonly string[] = Object.entries(PASSWORDS).flatMap(([name, password]) => {
  const json = JSON.stringify(password).slice(1, -1);
  const basic = Buffer.from(`${name}:${password}`).toString('base64').slice(0, 24);
  return [password, json, basic, JSON.stringify(keyFileOf(name)).slice(1, -1), 'BEGIN', 'Bearer ', 'Basic ', 'eyJ'];
});
