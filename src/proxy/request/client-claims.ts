import { decodeJwt } from 'jose';
import { parseBasic } from '../../auth/token-request.ts';

/** Characters of a header that the log shows. */
const MAX_SHOWN = 256;
/** Characters of a user name. What is longer may be a token. */
const MAX_NAME = 64;
/** Beginnings of tokens of GitHub, GitLab, Docker Hub, DigitalOcean, Google, AWS and others. */
const TOKEN = /^(?:gh[a-z]_|github_pat_|gl[a-z]+-|dckr_[a-z]+_|do[a-z]_v1_|ya29\.|eyJ|AKIA|xox[a-z]-|hf_|npm_|pypi-)/;
/** Longer tokens are not looked into. */
const MAX_TOKEN = 16_384;
/** W3C Trace Context, version 00; later versions may only append. An id of zeros alone is invalid. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})(?<trace>[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** What a client says of itself, for the log. Nobody has checked it. */
export interface ClientClaims {
  /** The user name of its login, or the subject of its token. */
  tried?: string;
  /** The beginning of `User-Agent`. */
  agent?: string;
  /** The trace id of `traceparent`. */
  trace?: string;
}

export function clientClaims(headers: Headers): ClientClaims {
  const { authorization, 'user-agent': agent } = headers;
  const tried = typeof authorization === 'string' ? claimedName(authorization) : undefined;
  const trace = traceOf(headers.traceparent);
  return {
    ...(tried === undefined ? {} : { tried }),
    ...(typeof agent === 'string' ? { agent: shown(agent) } : {}),
    ...(trace === undefined ? {} : { trace }),
  };
}

/** The trace id of a `traceparent` header; undefined: there is none that is valid. */
export function traceOf(traceparent: string | string[] | undefined): string | undefined {
  return typeof traceparent === 'string' ? TRACEPARENT.exec(traceparent)?.groups?.trace : undefined;
}

function claimedName(authorization: string): string | undefined {
  if (authorization.length > MAX_TOKEN) return undefined;
  const token = /^bearer +(\S+)$/i.exec(authorization)?.[1];
  const name = token === undefined ? loginName(authorization) : subjectOf(token);
  // An anonymous token of Harbor has an empty subject.
  return name === '' ? undefined : name;
}

function loginName(authorization: string): string | undefined {
  const login = parseBasic(authorization);
  return login && nameForLog(login);
}

/** The name of a login. Undefined: it may be a token, which some registries take as a name, and must not be logged. */
export function nameForLog({ user, password }: { user: string; password: string }): string | undefined {
  const isSecret = password === '' || password === user || password === 'x-oauth-basic' || TOKEN.test(user);
  return isSecret || user.length > MAX_NAME ? undefined : shown(user);
}

/** Without what changes how a terminal shows a line. */
function shown(text: string): string {
  return text
    .slice(0, MAX_SHOWN)
    .toWellFormed()
    .replaceAll(/[\p{Cc}\p{Cf}]/gu, '?');
}

function subjectOf(token: string): string | undefined {
  try {
    const { sub } = decodeJwt(token);
    return typeof sub === 'string' ? shown(sub) : undefined;
  } catch {
    return undefined;
  }
}
