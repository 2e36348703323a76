import { isIP } from 'node:net';
import { z } from 'zod';
import { isDigest, isRepository, isRepositoryPrefix, isTag } from '../oci/reference.ts';
import { parseAccessRule } from './access-rule.ts';
import { isUserName } from './htpasswd.ts';
import { parseNetwork, UNIX } from './network.ts';

// Kinds of values in the configuration. The title of a text names its kind in the reference documentation.

const LABEL = '[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?';
const NAME = `${LABEL}(\\.${LABEL})*`;
const IPV6 = '\\[?[0-9A-Fa-f.]*(:[0-9A-Fa-f.]*){2,8}\\]?';

export const upstreamName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,30}$/, 'lower-case letters, digits and dashes, at most 31')
  .meta({ title: 'name of an upstream' });
export const address = z
  .string()
  .regex(/^(\[[0-9A-Fa-f:.]+\]|[^\s:[\]]+):\d{1,5}$/, 'an address and port such as 0.0.0.0:443')
  .refine((text) => isPort(/\d+$/.exec(text)?.[0]), 'a port of at most 65535')
  .meta({ title: 'address and port' });
/** Longest path of a unix socket on macOS; Linux takes 107 characters. */
const MAX_SOCKET_PATH = 103;
/** An address and port, or a unix socket. */
export const listenAddress = z
  .string()
  .regex(
    /^(unix:\/[^\0\r\n]+|(\[[0-9A-Fa-f:.]+\]|[^\s:[\]]+):\d{1,5})$/,
    'an address and port such as 0.0.0.0:443, or unix:/PATH',
  )
  .refine((text) => text.startsWith(UNIX) || isPort(/\d+$/.exec(text)?.[0]), 'a port of at most 65535')
  .refine(
    (text) => !text.startsWith(UNIX) || text.length <= UNIX.length + MAX_SOCKET_PATH,
    `a path of at most ${MAX_SOCKET_PATH} characters`,
  )
  .meta({ title: 'address and port, or unix socket' });
export const fileMode = z
  .string()
  .regex(/^0?[0-7]{3}$/, 'a mode such as 0660')
  .meta({ title: 'file mode' });
// Host names are case-insensitive; they are compared in lower case.
export const hostName = z
  .string()
  .regex(new RegExp(`^(${NAME}|${IPV6})$`), 'a host name without a port')
  .toLowerCase()
  .meta({ title: 'host name' });
const PORT = '(:\\d{1,5})?';
export const realmHost = z
  .string()
  .regex(new RegExp(`^(${NAME}${PORT}|${IPV6}|\\[[0-9A-Fa-f:.]+\\]:\\d{1,5})$`), 'HOST or HOST:PORT')
  .toLowerCase()
  .meta({ title: 'host' });
export const origin = z
  .string()
  .refine(
    (text) => text === '*' || (/^https?:[^*]+$/.test(text) && URL.parse(text)?.origin === text),
    'an origin such as https://ui.example.io, without a path, or *',
  )
  .meta({ title: 'origin' });
export const hostPattern = z
  .string()
  .regex(
    new RegExp(`^(\\.?${NAME}${PORT}|${IPV6}|\\[[0-9A-Fa-f:.]+\\]:\\d{1,5})$`),
    'HOST or HOST:PORT, or a suffix that begins with a dot',
  )
  .toLowerCase()
  .meta({ title: 'host pattern' });
export const file = z
  .string()
  .regex(/^[^\0\r\n]{1,4096}$/, 'the name of a file, not its content')
  .meta({ title: 'file name' });
export const network = z
  .string()
  .refine((text) => parseNetwork(text) !== undefined, 'a network such as 10.0.0.0/8 or fd00::/8, or an address')
  .meta({ title: 'network' });
/** A network, or every unix socket of this machine. */
export const proxyNetwork = z
  .string()
  .refine(
    (text) => text === UNIX || parseNetwork(text) !== undefined,
    'a network such as 10.0.0.0/8 or fd00::/8, an address, or unix: for unix sockets',
  )
  .meta({ title: 'network' });
export const hostAddress = z
  .string()
  .refine((text) => isIP(text) !== 0, 'an address such as 10.0.0.10 or fd00::10')
  .meta({ title: 'address' });
export const userName = z
  .string()
  .refine(isUserName, 'a user name: letters, digits and . _ @ $ + -')
  .meta({ title: 'user name' });
export const ruleHolder = z
  .string()
  .refine(
    (text) => text === '*' || isUserName(text.replace(/^@/, '')),
    'a user, a group such as @ci, or * for all users',
  )
  .meta({ title: 'user, @group or *' });
export const accessRule = z
  .string()
  .refine(
    (text) => parseAccessRule(text) !== undefined,
    'a pattern of repositories and what may be done there, such as "library/** pull,push" (pull, push, delete)',
  )
  .meta({ title: 'access rule' });
export const image = z
  .string()
  .refine(isImage, 'an image as the upstream names it, such as library/canary:latest')
  .meta({ title: 'image' });
export const prefix = z
  .string()
  .refine(
    (text) => text === '' || isRepositoryPrefix(text),
    'a repository prefix that ends in "/", or "" for everything',
  )
  .meta({ title: 'prefix' });
export const peerUrl = z
  .string()
  .refine(isPeerUrl, 'a URL such as https://edge-b.lan or https://10.0.0.12:8443, without a path')
  .meta({ title: 'URL' });

/** @param digits undefined: another check finds that there are none */
function isPort(digits: string | undefined): boolean {
  return !(Number(digits) > 65_535);
}

function isPeerUrl(text: string): boolean {
  const url = URL.parse(text);
  return (
    url?.protocol === 'https:' && url.pathname === '/' && url.search + url.hash + url.username + url.password === ''
  );
}

/** Whether `text` is `repository`, `repository:tag` or `repository@digest`. */
export function isImage(text: string): boolean {
  const [, repository = '', tag, digest] = /^([^:@]+)(?::([^@]+)|@(.+))?$/.exec(text) ?? [];
  return isRepository(repository) && (tag === undefined || isTag(tag)) && (digest === undefined || isDigest(digest));
}

const DURATION_UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION_EXPECTED = 'a duration such as 500ms, 2s, 1m or 24h';
/** Node's timers fire at once for more than 2^31 - 1 ms. */
const MAX_DAYS = 24;

/**
 * A length of time such as `500ms`, `2s`, `1m` or `24h`, parsed to milliseconds.
 * @param defaultText value of a missing key
 * @param min milliseconds
 */
export function duration(defaultText: string, min = 1) {
  return z
    .string({ error: DURATION_EXPECTED })
    .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, DURATION_EXPECTED)
    .meta({ title: 'duration' })
    .default(defaultText)
    .transform((text, ctx) => {
      const [, digits = '0', , unit = 'ms'] = /^(\d+(\.\d+)?)(\D+)$/.exec(text) ?? [];
      const ms = Math.round(Number(digits) * (DURATION_UNITS[unit] ?? 1));
      if (ms < min) ctx.addIssue({ code: 'custom', message: `at least ${min}ms` });
      if (ms > MAX_DAYS * 86_400_000) ctx.addIssue({ code: 'custom', message: `at most ${MAX_DAYS}d` });
      return ms;
    });
}

/** @param defaultValue value of a missing key */
export function wholeNumber(defaultValue: number, min: number, max?: number) {
  const number = z.int().min(min);
  return (max === undefined ? number : number.max(max)).default(defaultValue);
}

export function flag(defaultValue: boolean) {
  return z.boolean().default(defaultValue);
}

/** One of a few words. */
export function choice<const Word extends string>(words: readonly Word[], defaultWord: NoInfer<Word>) {
  return z.enum(words).default(defaultWord as never);
}

/** A list that is empty where its key is missing. */
export function list<Item extends z.ZodType>(item: Item) {
  return z.array(item).default([]);
}

/** A map that may be missing, because each of its keys has a default or may be missing. */
export function section<Shape extends z.core.$ZodShape>(shape: Shape) {
  return z.strictObject(shape).prefault({} as never);
}
