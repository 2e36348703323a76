import { hash } from 'node:crypto';
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import { LRUCache } from 'lru-cache';
import { formatScope, parseScope, type Scope } from '../oci/scope.ts';
import { KeyRing } from './key-ring.ts';

/** The content of the edge's tokens. */
export interface Claims {
  /** `access` opens repositories; `refresh` only obtains new tokens. */
  use: 'access' | 'refresh';
  /** Undefined: an anonymous client. */
  user: string | undefined;
  /** The registry that the token is for. */
  service: string;
  access: Scope[];
  /** Epoch milliseconds. */
  issued: number;
  expires: number;
  /** What the token depends on: with another password of the user the token is void. */
  basis?: string | undefined;
  /** The user's own Authorization for the authority. */
  upstream?: string | undefined;
  /** Token name of a repository and another Authorization for it. */
  upstreams?: readonly (readonly [string, string])[];
  /** Repositories that the authority does not show and that only the authority may serve: the user is about to push to them. */
  authorityOnly?: readonly string[];
  /** Repositories that the authority let the user pull before and does not show now. */
  previouslyGranted?: readonly string[];
  /** The client also asked for a push, and the authority could not be reached. */
  authorityUnreachable?: true;
  /** Refresh tokens only: the password for the authority. */
  secret?: string | undefined;
}

/** `unreadable`: forged, damaged, sealed with another key, or no token. */
export type OpenedToken = { claims: Claims } | { refused: 'unreadable' | 'expired' };

const HEADER = { alg: 'dir', enc: 'A256GCM', typ: 'breakwater+jwt' };
const KEY_PURPOSE = 'breakwater tokens 1';
/** Longest token that is read. Twenty scopes with long names stay below. */
const MAX_TOKEN_LENGTH = 16_384;
const MAX_OPENED = 4096;
/** Milliseconds by which the clocks of a pair may differ. */
const SKEW_MS = 60_000;

/**
 * Seals and opens the edge's tokens: JWE (RFC 7516), `dir` with A256GCM. Every edge with the same key can read and make tokens, and no
 * other party can. The content is not compressed.
 */
export class TokenSealer {
  readonly #keys: KeyRing;
  readonly #opened = new LRUCache<string, Claims>({ max: MAX_OPENED });
  readonly #now: () => number;

  /** @param secrets at least one; the first seals, all open */
  constructor(secrets: readonly Buffer[], now: () => number = Date.now) {
    this.#keys = new KeyRing(secrets, KEY_PURPOSE);
    this.#now = now;
  }

  async seal(claims: Claims): Promise<string> {
    const key = this.#keys.current;
    const {
      use,
      user,
      service,
      access,
      issued,
      expires,
      basis,
      upstream,
      upstreams = [],
      authorityUnreachable,
      secret,
    } = claims;
    const { authorityOnly = [], previouslyGranted = [] } = claims;
    const content = {
      use,
      aud: service,
      iat: Math.floor(issued / 1000),
      exp: Math.floor(expires / 1000),
      access: access.map(formatScope),
      ...(user === undefined ? {} : { sub: user }),
      ...(basis === undefined ? {} : { basis }),
      ...(upstream === undefined ? {} : { upstream }),
      ...(upstreams.length === 0 ? {} : { upstreams }),
      ...(authorityOnly.length === 0 ? {} : { authorityOnly }),
      ...(previouslyGranted.length === 0 ? {} : { previouslyGranted }),
      ...(authorityUnreachable ? { authorityUnreachable } : {}),
      ...(secret === undefined ? {} : { secret }),
    };
    return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(content)))
      .setProtectedHeader({ ...HEADER, kid: key.id })
      .encrypt(key.secret);
  }

  /** The result of `open`, if it is known without a decryption. */
  peekOpened(token: string): OpenedToken | undefined {
    const claims = token.length <= MAX_TOKEN_LENGTH ? this.#opened.get(hash('sha256', token, 'base64')) : undefined;
    return claims && this.#inTime(claims);
  }

  async open(token: string): Promise<OpenedToken> {
    const known = this.peekOpened(token);
    if (known) return known;
    const claims = token.length <= MAX_TOKEN_LENGTH ? await this.#decrypt(token) : undefined;
    if (!claims) return { refused: 'unreadable' };
    this.#opened.set(hash('sha256', token, 'base64'), claims);
    return this.#inTime(claims);
  }

  #inTime(claims: Claims): OpenedToken {
    const now = this.#now();
    if (claims.expires + SKEW_MS < now) return { refused: 'expired' };
    return claims.issued - SKEW_MS > now ? { refused: 'unreadable' } : { claims };
  }

  async #decrypt(token: string): Promise<Claims | undefined> {
    try {
      const { kid, typ, zip } = decodeProtectedHeader(token);
      const key = this.#keys.find(kid);
      if (!key || typ !== HEADER.typ || zip !== undefined) return undefined;
      const { plaintext } = await compactDecrypt(token, key.secret, {
        keyManagementAlgorithms: [HEADER.alg],
        contentEncryptionAlgorithms: [HEADER.enc],
      });
      return parseClaims(JSON.parse(new TextDecoder().decode(plaintext)));
    } catch {
      // The bearer learns only that the token is invalid.
      return undefined;
    }
  }
}

/** Checks the types, since another version of the edge may have sealed the token. */
function parseClaims(content: Record<string, unknown>): Claims | undefined {
  const { use, aud, iat, exp, access, sub, basis, upstream, upstreams, secret } = content;
  const { authorityOnly, previouslyGranted, authorityUnreachable } = content;
  const isUse = use === 'access' || use === 'refresh';
  if (!isUse || typeof aud !== 'string' || typeof iat !== 'number' || typeof exp !== 'number') return undefined;
  if (!Array.isArray(access)) return undefined;
  const scopes = access.map((text) => (typeof text === 'string' ? parseScope(text) : undefined));
  if (!scopes.every((scope) => scope !== undefined)) return undefined;
  return {
    use,
    user: typeof sub === 'string' ? sub : undefined,
    service: aud,
    access: scopes,
    issued: iat * 1000,
    expires: exp * 1000,
    basis: typeof basis === 'string' ? basis : undefined,
    ...(typeof upstream === 'string' ? { upstream } : {}),
    ...(Array.isArray(upstreams) ? { upstreams } : {}),
    ...(Array.isArray(authorityOnly) ? { authorityOnly } : {}),
    ...(Array.isArray(previouslyGranted) ? { previouslyGranted } : {}),
    ...(authorityUnreachable === true ? { authorityUnreachable } : {}),
    ...(typeof secret === 'string' ? { secret } : {}),
  };
}
