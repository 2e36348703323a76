import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { configPath, hasConfig, UsageError } from '../config-path.ts';
import { findRunningLab } from '../running-lab.ts';
import { withoutUser } from '../without-user.ts';

/** What a command was told of the edge that it is to ask. */
export interface AdminOptions {
  config?: string;
  admin?: string;
  tokenFile?: string;
}

interface FoundAdmin {
  base: string;
  token?: { text: string; from: string } | undefined;
}

const TOKEN_VARIABLE = 'BREAKWATER_ADMIN_TOKEN';

/** Adds the options by which a command finds the edge that it is to ask. */
export function withAdminOptions(command: Command): Command {
  return command
    .option(
      '-c, --config <file>',
      'configuration that names the admin listener; without any, the lab that runs here is asked',
    )
    .option('--admin <url>', 'admin listener of the edge, instead of the one that the configuration names')
    .option(
      '--token-file <file>',
      `file with the token of the admin listener (default: ${TOKEN_VARIABLE}, else adminTokenFile of the configuration)`,
    );
}

/**
 * Asks the edge for a JSON document.
 * @throws NoAnswer when there is no edge, or when it refuses @throws UsageError when it does not understand what it was asked
 */
export async function askAdmin<T>(options: AdminOptions, path: string): Promise<T> {
  const found = await findAdmin(options);
  const { status, content } = await getAdmin(found, path);
  if (status === 200) return content as T;
  const message = (content as { errors?: { message?: string }[] } | null)?.errors?.[0]?.message ?? `status ${status}`;
  if (status === 400 || status === 404) throw new UsageError(message);
  throw new NoAnswer(status === 401 ? refusedToken(found) : `the edge at ${found.base} refuses: ${message}`);
}

/** The admin listener to ask: the one given, else that of the configuration, else that of the lab that runs here. */
async function findAdmin(options: AdminOptions): Promise<FoundAdmin> {
  const { config, admin } = options;
  const given = admin === undefined ? undefined : givenAdminUrl(admin);
  // The token of a configuration is for its own edge, unless both are named.
  if (given !== undefined && config === undefined) return { base: given, token: givenToken(options) };
  const lab = given !== undefined || hasConfig(config) ? undefined : findRunningLab();
  if (lab) return { base: lab.admin, token: givenToken(options) };
  const loaded = await loadConfig(configPath(config));
  const { adminToken } = loaded.material;
  const token = givenToken(options) ?? (adminToken === undefined ? undefined : { text: adminToken, from: loaded.path });
  return { base: given ?? adminUrl(loaded.config), token };
}

function givenToken({ tokenFile }: AdminOptions): FoundAdmin['token'] {
  const variable = process.env[TOKEN_VARIABLE];
  if (tokenFile === undefined && !variable) return undefined;
  const from = tokenFile ?? TOKEN_VARIABLE;
  const text = (tokenFile === undefined ? (variable ?? '') : readToken(tokenFile)).trim();
  if (!/^[\x20-\x7e]+$/.test(text)) throw new UsageError(`${from} holds no token: one line of ASCII is expected`);
  return { text, from };
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`the token cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function refusedToken({ base, token }: FoundAdmin): string {
  if (token)
    return `the edge at ${base} does not take the token from ${token.from}. Compare it with the file that adminTokenFile names there; the edge reads that file again on SIGHUP.`;
  return `the edge at ${base} asks for a token. Give it with --token-file or ${TOKEN_VARIABLE}, or name the configuration of that edge with --config.`;
}

/** Base URL of the running edge's admin listener. A wildcard address is reached on loopback. */
export function adminUrl({ listen }: Config): string {
  const [, host = '127.0.0.1', port = '9443'] = /^(.*):(\d+)$/.exec(listen.admin) ?? [];
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '[::]' ? '[::1]' : host;
  return `http://${reachable}:${port}`;
}

/** Checks a URL given by hand. */
export function givenAdminUrl(text: string): string {
  const url = URL.parse(text);
  if (!url || !/^https?:/.test(text))
    throw new UsageError(`${withoutUser(text)} is no URL such as http://127.0.0.1:9443`);
  // It is asked without any, and takes none.
  if (url.username + url.password !== '')
    throw new UsageError(`credentials do not belong into the URL of ${url.host}; --admin takes none`);
  return text.replace(/\/+$/, '');
}

async function getAdmin({ base, token }: FoundAdmin, path: string): Promise<{ status: number; content: unknown }> {
  const headers = { accept: 'application/json', ...(token ? { authorization: `Bearer ${token.text}` } : {}) };
  try {
    const response = await fetch(base + path, { headers, signal: AbortSignal.timeout(5000) });
    return { status: response.status, content: await response.json() };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new NoAnswer(`no edge answers at ${base} (${cause}). Is it running? Name its admin listener with --admin.`);
  }
}

/** The edge could not be asked, or did not say. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}
