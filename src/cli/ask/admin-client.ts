import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import type { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import { UNIX } from '../../config/network.ts';
import type { Config } from '../../config/schema.ts';
import { configPath, hasConfig, UsageError } from '../config-path.ts';
import { findRunningLab } from '../running-lab.ts';
import { withoutUser } from '../text-format.ts';

/** Options by which a command finds the admin listener of an edge. */
export interface AdminOptions {
  config?: string;
  admin?: string;
  tokenFile?: string;
  json?: boolean;
}

interface AdminTarget {
  base: string;
  token?: { text: string; from: string } | undefined;
}

/** A change is made by POST. */
type AdminMethod = 'GET' | 'POST';

const READ_MS = 5000;
/** A change, and an explanation, may ask upstreams. */
const ASKING_MS = 60_000;
const TOKEN_VARIABLE = 'BREAKWATER_ADMIN_TOKEN';

/** Adds the options by which a command finds the admin listener of an edge. */
export function withAdminOptions(command: Command): Command {
  return command
    .option(
      '-c, --config <file>',
      'configuration that names the admin listener (default: BREAKWATER_CONFIG, else ./breakwater.yaml, else a running lab)',
    )
    .option('--admin <url>', 'URL of the admin listener, or unix:/PATH, instead of the one in the configuration')
    .option(
      '--token-file <file>',
      `file with the token of the admin listener (default: the variable ${TOKEN_VARIABLE}, else adminTokenFile of the configuration)`,
    );
}

/**
 * Reads a JSON document from the admin listener.
 * @throws AdminError if no edge answers, or the edge refuses @throws UsageError if the edge rejects the query
 */
export async function askAdmin<T>(options: AdminOptions, path: string, method: AdminMethod = 'GET'): Promise<T> {
  const found = await findAdmin(options);
  const { status, content } = await getAdmin(found, path, method);
  if (status === 200) return content as T;
  const message = (content as { errors?: { message?: string }[] } | null)?.errors?.[0]?.message ?? `status ${status}`;
  if (status === 400 || status === 404) throw new UsageError(message);
  throw new AdminError(status === 401 ? refusedToken(found) : `the edge at ${found.base} refuses: ${message}`);
}

/** Asks the admin listener, and prints the answer: with --json as it came, else as the text that `textOf` makes of it. */
export async function showAnswer<T>(
  options: AdminOptions,
  path: string,
  textOf: (answer: T, now: number) => string,
  method: AdminMethod = 'GET',
): Promise<T> {
  const answer = await askAdmin<T>(options, path, method);
  process.stdout.write(options.json ? `${JSON.stringify(answer, null, 2)}\n` : textOf(answer, timeOf(answer)));
  return answer;
}

/** When the edge answered, by its own clock: the one of this host may differ. */
function timeOf(answer: unknown): number {
  const { at = '' } = answer as { at?: string };
  return Date.parse(at) || Date.now();
}

/** The admin listener of --admin, else of the configuration, else of a running lab. */
async function findAdmin(options: AdminOptions): Promise<AdminTarget> {
  const { config, admin } = options;
  const given = admin === undefined ? undefined : givenAdminUrl(admin);
  // The token of a configuration is only for the edge of that configuration, unless --config and --admin are both given.
  if (given !== undefined && config === undefined) return { base: given, token: givenToken(options) };
  const lab = given !== undefined || hasConfig(config) ? undefined : findRunningLab();
  if (lab) return { base: lab.admin, token: givenToken(options) };
  const loaded = await loadConfig(configPath(config));
  const { adminToken } = loaded.material;
  const token = givenToken(options) ?? (adminToken === undefined ? undefined : { text: adminToken, from: loaded.path });
  return { base: given ?? adminUrl(loaded.config), token };
}

function givenToken({ tokenFile }: AdminOptions): AdminTarget['token'] {
  const variable = process.env[TOKEN_VARIABLE];
  if (tokenFile === undefined && !variable) return undefined;
  const from = tokenFile ?? TOKEN_VARIABLE;
  const text = (tokenFile === undefined ? (variable ?? '') : readToken(tokenFile)).trim();
  if (!/^[\x20-\x7e]+$/.test(text)) throw new UsageError(`${from} holds no token. A token is one line of ASCII.`);
  return { text, from };
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`the token file cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function refusedToken({ base, token }: AdminTarget): string {
  if (token)
    return `the edge at ${base} refuses the token from ${token.from}. Compare it with the edge's adminTokenFile. The edge reads that file again when it changes.`;
  return `the edge at ${base} requires a token. Use --token-file or ${TOKEN_VARIABLE}, or name the edge's configuration with --config.`;
}

/** Base URL of the running edge's admin listener, or `unix:/PATH`. A wildcard address is reached on loopback. */
export function adminUrl({ listen }: Config): string {
  if (listen.admin.startsWith(UNIX)) return listen.admin;
  const [, host = '127.0.0.1', port = '9443'] = /^(.*):(\d+)$/.exec(listen.admin) ?? [];
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '[::]' ? '[::1]' : host;
  return `http://${reachable}:${port}`;
}

/** Checks a URL given by hand. */
export function givenAdminUrl(text: string): string {
  if (text.startsWith(`${UNIX}/`)) return text;
  const url = URL.parse(text);
  if (!url || !/^https?:/.test(text))
    throw new UsageError(`${withoutUser(text)} is not a URL such as http://127.0.0.1:9443, or unix:/PATH`);
  if (url.username + url.password !== '')
    throw new UsageError(`--admin takes no user or password: remove them from the URL of ${url.host}`);
  return text.replace(/\/+$/, '');
}

async function getAdmin(
  { base, token }: AdminTarget,
  path: string,
  method: AdminMethod,
): Promise<{ status: number; content: unknown }> {
  const headers = { accept: 'application/json', ...(token ? { authorization: `Bearer ${token.text}` } : {}) };
  try {
    const signal = AbortSignal.timeout(method === 'GET' && !path.startsWith('/api/explain') ? READ_MS : ASKING_MS);
    if (base.startsWith(UNIX)) return await askSocket(base.slice(UNIX.length), path, { method, headers, signal });
    const response = await fetch(base + path, { method, headers, signal });
    return { status: response.status, content: await response.json() };
  } catch (error) {
    const { cause: inner = error } = error instanceof Error ? error : {};
    const cause = inner instanceof Error ? inner.message : String(inner);
    throw new AdminError(`no edge answers at ${base} (${cause}). Start it, or name its admin listener with --admin.`);
  }
}

async function askSocket(
  socketPath: string,
  path: string,
  options: { method: string; headers: Record<string, string>; signal: AbortSignal },
): Promise<{ status: number; content: unknown }> {
  const call = request({ ...options, socketPath, path, agent: false }).end();
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, content: await json(response) };
}

/** No edge answered, or the edge refused. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
}
