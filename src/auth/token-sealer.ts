import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { formatScope, parseScope } from '../oci/scope.ts';
import { KeyRing } from './key-ring.ts';

const scope = z.string().transform((text, context) => {
  const parsed = parseScope(text);
  if (!parsed) context.addIssue('not a scope');
  return parsed ?? z.NEVER;
});

/** The content of a token as JSON. It is checked, since another version of the edge may have sealed the token. */
const contentSchema = z
  .object({
    /** `access` opens repositories; `refresh` only obtains new tokens. */
    use: z.enum(['access', 'refresh']),
    sub: z.string().optional(),
    aud: z.string(),
    /** Epoch seconds. */
    iat: z.number(),
    exp: z.number(),
    access: z.array(scope),
    /** What the token depends on: with another password of the user the token is void. */
    basis: z.string().optional(),
    /** The user's own Authorization for the authority. */
    upstream: z.string().optional(),
    /** Token name of a repository and another Authorization for it. */
    upstreams: z.array(z.tuple([z.string(), z.string()])).optional(),
    /** Repositories that the authority does not show and that only the authority may serve: the user is about to push to them. */
    authorityOnly: z.array(z.string()).optional(),
    /** Repositories that the authority let the user pull before and does not show now. */
    previouslyGranted: z.array(z.string()).optional(),
    /** The client also asked for a push, and the authority could not be reached. */
    authorityUnreachable: z.literal(true).optional(),
    /** Refresh tokens only: the password for the authority. */
    secret: z.string().optional(),
  })
  .transform(({ sub: user, aud: service, iat, exp, ...claims }) => ({
    ...claims,
    /** Undefined: an anonymous client. */
    user,
    /** The registry that the token is for. */
    service,
    /** Epoch milliseconds. */
    issued: iat * 1000,
    expires: exp * 1000,
  }));

/** The content of the edge's tokens. */
export type Claims = z.output<typeof contentSchema>;

/** `unreadable`: forged, damaged, sealed with another key, or no token. */
export type OpenedToken = { claims: Claims } | { refused: 'unreadable' | 'expired' };

const HEADER = { typ: 'breakwater+jwt' };
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
  /** Epoch milliseconds. */
  readonly now: () => number;

  /** @param secrets at least one; the first seals, all open */
  constructor(secrets: readonly Buffer[], now: () => number = Date.now) {
    this.#keys = new KeyRing(secrets, KEY_PURPOSE);
    this.now = now;
  }

  seal({ user, service, access, issued, expires, ...claims }: Claims): Promise<string> {
    const content = {
      ...claims,
      sub: user,
      aud: service,
      iat: Math.floor(issued / 1000),
      exp: Math.floor(expires / 1000),
      access: access.map(formatScope),
    };
    return this.#keys.seal(content, HEADER);
  }

  /** The result of `open`, if it is known without a decryption. */
  peekOpened(token: string): OpenedToken | undefined {
    const claims = token.length <= MAX_TOKEN_LENGTH ? this.#opened.get(hash('sha256', token, 'base64')) : undefined;
    return claims && this.#inTime(claims);
  }

  async open(token: string): Promise<OpenedToken> {
    const known = this.peekOpened(token);
    if (known) return known;
    const content = token.length <= MAX_TOKEN_LENGTH ? await this.#keys.open(token, HEADER) : undefined;
    const claims = contentSchema.safeParse(content).data;
    if (!claims) return { refused: 'unreadable' };
    this.#opened.set(hash('sha256', token, 'base64'), claims);
    return this.#inTime(claims);
  }

  #inTime(claims: Claims): OpenedToken {
    const now = this.now();
    if (claims.expires + SKEW_MS < now) return { refused: 'expired' };
    return claims.issued - SKEW_MS > now ? { refused: 'unreadable' } : { claims };
  }
}
