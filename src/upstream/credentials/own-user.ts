import type { CredentialsConfig } from '../../config/schema.ts';
import { UpstreamError } from '../upstream-error.ts';

/** A user name that stands for none: the password is a refresh token (OAuth2), as credential helpers of Docker say it. */
const REFRESH_TOKEN = '<token>';

export interface Login {
  username: string;
  password: string;
}

/** Breakwater's own user at an upstream. */
export interface OwnUser {
  /** For messages and the status, also while there is no login. */
  readonly name: string;
  /** @throws UpstreamError `credentials` while there is none: no request goes out without it */
  login(): Login;
  /** Resolves when the first try to get a login is over. Undefined: there always is one. */
  readonly tried?: Promise<void>;
  /** The same, but no later than requests wait for it. */
  readonly ready?: Promise<void>;
  /** The upstream has refused the login. */
  refused?(): void;
  /** What is known of the renewal of the login. Undefined: it is never renewed. */
  readonly renewal?: RenewalView;
}

/** Times are monotonic milliseconds. */
export interface RenewalView {
  /** When the login was last given; undefined: never. */
  givenAt: number | undefined;
  /** Why the last try failed, and since when tries fail. */
  problem: { since: number; reason: string } | undefined;
}

/** A user with a password that does not change. */
export function fixedUser(username: string, password: string): OwnUser {
  return { name: username, login: () => ({ username, password }) };
}

export function isRefreshToken({ username }: Login): boolean {
  return username === REFRESH_TOKEN;
}

/** Basic credentials, for APIs that take no tokens. @throws UpstreamError for a refresh token */
export function basicOf(login: Login): string {
  if (isRefreshToken(login))
    throw new UpstreamError('credentials', 'there is a refresh token, but the upstream wants a user and a password');
  return `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`;
}

/** How messages and the status call configured credentials. Undefined: they are none of the edge's own. */
export function nameOf(credentials: CredentialsConfig | undefined): string | undefined {
  if (typeof credentials !== 'object') return undefined;
  if ('helper' in credentials) return `docker-credential-${credentials.helper}`;
  if ('metadata' in credentials) return 'the metadata server of Google Cloud';
  return 'tokenFile' in credentials ? 'the token file' : credentials.username;
}
