import bcrypt from 'bcrypt';
import { AccessRules } from '../../src/auth/access-rules.ts';
import { AuthorityMark } from '../../src/auth/authority-mark.ts';
import type { Caller } from '../../src/auth/caller.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { Guard } from '../../src/auth/guard.ts';
import { LocalAuthority } from '../../src/auth/local-authority.ts';
import { LocalTokens } from '../../src/auth/local-tokens.ts';
import { Passwords } from '../../src/auth/passwords.ts';
import type { Place } from '../../src/auth/place.ts';
import { TokenBox } from '../../src/auth/token-box.ts';
import type { Credentials, TokenRequest } from '../../src/auth/token-request.ts';
import type { TokenGrant, TokenRefusal } from '../../src/auth/tokens.ts';
import type { Action } from '../../src/config/access-rule.ts';
import { parseScope } from '../../src/oci/scope.ts';

export const SERVICE = 'edge.example.io';
export const SECRET = Buffer.from('a secret of a pair that is long enough');
/** Of the primary that decides. */
export const MARK = new AuthorityMark(['https://primary.lan']);
export const LIFETIME = 3_600_000;
export const REFRESH_LIFETIME = 86_400_000;
export const MAX_FAILURES = 10;
export const FORGIVE_MS = 6000;

export const outside: Caller = { address: '203.0.113.9', anonymous: false };
export const inside: Caller = { address: '10.1.2.3', anonymous: true };
export const nobody: Credentials = { kind: 'none' };

/** Time that stands still until it is told to go on. */
export class Clock {
  now = 1_800_000_000_000;
}

export interface Made {
  tokens: LocalTokens;
  guard: Guard;
  box: TokenBox;
  failures: FailureLimit;
  passwords: Passwords;
}

export interface MadeOptions {
  hashes?: Record<string, string>;
  access?: Record<string, string[]>;
  groups?: Record<string, string[]>;
  places?: (repository: string) => readonly Place[];
  service?: string;
  secrets?: Buffer[];
  clock?: Clock;
  failures?: FailureLimit;
}

/** An edge's token service and guard, in which every repository of one component `open-…` is open to networks. */
export function made(options: MadeOptions = {}): Made {
  const { hashes = {}, access = {}, groups = {}, service = SERVICE, secrets = [SECRET], clock = new Clock() } = options;
  const now = () => clock.now;
  const passwords = new Passwords(new Map(Object.entries(hashes)), now);
  const authority = new LocalAuthority(passwords, new AccessRules(access, groups));
  const box = new TokenBox(secrets, now);
  const failures = options.failures ?? new FailureLimit(MAX_FAILURES, FORGIVE_MS, now);
  const places = options.places ?? ((repository: string) => [placeOf(repository)]);
  const lifetimes = { lifetime: LIFETIME, refreshLifetime: REFRESH_LIFETIME };
  const tokens = new LocalTokens({ authority, box, failures, service, places, now, ...lifetimes });
  return { tokens, guard: new Guard(authority, box, service), box, failures, passwords };
}

export function hashOf(password: string): Promise<string> {
  return bcrypt.hash(password, 4);
}

export function placeOf(name: string): Place {
  return { name, key: name, anonymous: name.startsWith('open-') };
}

export function deedOf(repository: string, ...actions: Action[]) {
  return { repository, place: placeOf(repository), actions };
}

export function asked(credentials: Credentials, scopes = '', offline = false): TokenRequest {
  const read = scopes.split(' ').flatMap((text) => parseScope(text) ?? []);
  return { credentials, scopes: read, service: undefined, offline };
}

export function login(user: string, password: string): Credentials {
  return { kind: 'password', user, password };
}

/** @throws Error if it was refused */
export function granted(answer: TokenGrant | TokenRefusal): TokenGrant {
  if ('refused' in answer) throw new Error(`refused: ${answer.refused}`);
  return answer;
}
