import bcrypt from 'bcrypt';
import { AccessRules } from '../../src/auth/access-rules.ts';
import { AuthorityFingerprint } from '../../src/auth/authority-fingerprint.ts';
import type { Caller } from '../../src/auth/caller.ts';
import type { DenialEvidence } from '../../src/auth/delegated-authority.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { Guard } from '../../src/auth/guard.ts';
import { LocalAuthority } from '../../src/auth/local-authority.ts';
import { LocalTokenIssuer } from '../../src/auth/local-token-issuer.ts';
import { Passwords } from '../../src/auth/passwords.ts';
import type { RepositoryKey } from '../../src/auth/repository-key.ts';
import type { TokenGrant, TokenRefusal } from '../../src/auth/token-issuer.ts';
import type { Credentials, TokenRequest } from '../../src/auth/token-request.ts';
import { TokenSealer } from '../../src/auth/token-sealer.ts';
import type { Action } from '../../src/config/access-rule.ts';
import { parseScope } from '../../src/oci/scope.ts';

export const SERVICE = 'edge.example.io';
export const SECRET = Buffer.from('a secret of a pair that is long enough');
/** Of the primary that decides. */
export const MARK = new AuthorityFingerprint(['https://primary.lan']);
export const LIFETIME = 3_600_000;
export const REFRESH_LIFETIME = 86_400_000;
export const MAX_FAILURES = 10;
export const FORGIVE_MS = 6000;

export const outside: Caller = { address: '203.0.113.9', anonymous: false };
export const inside: Caller = { address: '10.1.2.3', anonymous: true };
export const nobody: Credentials = { kind: 'none' };

/** An authority whose denials are always true. */
export const PROVEN: DenialEvidence = {
  judge: async () => ({ verdict: 'proven', mayBeLocked: false }),
  forget: () => undefined,
};

/** Time that stands still until it is told to go on. */
export class Clock {
  now = 1_800_000_000_000;
  readonly read = () => ({ monotonic: this.now, wall: this.now });
}

export interface Made {
  tokens: LocalTokenIssuer;
  guard: Guard;
  box: TokenSealer;
  failures: FailureLimit;
  passwords: Passwords;
}

export interface MadeOptions {
  hashes?: Record<string, string>;
  access?: Record<string, string[]>;
  groups?: Record<string, string[]>;
  places?: (repository: string) => readonly RepositoryKey[];
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
  const sealer = new TokenSealer(secrets, clock.read);
  const failures = options.failures ?? new FailureLimit(MAX_FAILURES, FORGIVE_MS, now);
  const repositoryKeys = options.places ?? ((repository: string) => [repositoryKeyOf(repository)]);
  const lifetimes = { lifetime: LIFETIME, refreshLifetime: REFRESH_LIFETIME };
  const tokens = new LocalTokenIssuer({ authority, sealer, failures, service, repositoryKeys, ...lifetimes });
  return { tokens, guard: new Guard(authority, sealer, service), box: sealer, failures, passwords };
}

export function hashOf(password: string): Promise<string> {
  return bcrypt.hash(password, 4);
}

export function repositoryKeyOf(name: string): RepositoryKey {
  return { name, tokenName: name, anonymous: name.startsWith('open-') };
}

export function requestedOn(repository: string, ...actions: Action[]) {
  return { repository, repositoryKey: repositoryKeyOf(repository), actions };
}

export function asked(credentials: Credentials, scopes = '', wantsRefreshToken = false): TokenRequest {
  const read = scopes.split(' ').flatMap((text) => parseScope(text) ?? []);
  return { credentials, scopes: read, service: undefined, wantsRefreshToken };
}

export function login(user: string, password: string): Credentials {
  return { kind: 'password', user, password };
}

/** @throws Error if it was refused */
export function granted(answer: TokenGrant | TokenRefusal): TokenGrant {
  if ('refused' in answer) throw new Error(`refused: ${answer.refused}`);
  return answer;
}
