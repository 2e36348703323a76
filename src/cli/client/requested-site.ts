import { dirname, resolve } from 'node:path';
import type { ClientSite, ClientUser, Fallback, Mirror, Place } from '../../clients/client-site.ts';
import { certificateFiles } from '../../config/acme-names.ts';
import { inspectFile } from '../../config/load.ts';
import { readBounded, unreadable } from '../../config/material-reader.ts';
import type { Config } from '../../config/schema.ts';
import { isRepositoryPrefix } from '../../oci/reference.ts';
import { configPath, UsageError } from '../config-path.ts';
import { readAuthority, selfSignedOf } from './authority-file.ts';
import type { ClientOptions } from './client-options.ts';

/** The key file of a service account is a password, too. */
const MAX_PASSWORD_BYTES = 65_536;
const LABEL = '[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?';
const HOST = new RegExp(`^(${LABEL}(\\.${LABEL})*|\\[[0-9a-f:.]+\\])(:\\d{1,5})?$`);

/** What a site's clients need, and remarks about it. */
export interface RequestedSite {
  site: ClientSite;
  notes: string[];
}

/** Reads the site from options, and what they leave out from the configuration. @throws UsageError */
export async function requestedSite(options: ClientOptions): Promise<RequestedSite> {
  const needsConfig = options.hostname === undefined || (options.withFallback && options.fallback === undefined);
  const source = needsConfig || options.config !== undefined ? await readConfig(configPath(options.config)) : undefined;
  const host =
    options.hostname === undefined
      ? hostName(hostOf(source?.config), 'hostname')
      : hostName(options.hostname, '--hostname');
  const ca = await authority(options, source);
  const mirrors = options.mirror.map(mirrorOf);
  const twice = mirrors.find(({ registry }, index) => mirrors.findIndex((one) => one.registry === registry) !== index);
  if (twice) throw new UsageError(`--mirror names ${twice.registry} twice; name each registry once`);
  const own = mirrors.find(({ registry }) => registry === host);
  if (own)
    throw new UsageError(`--mirror names ${host}, which is the edge itself; name the registry whose images it serves`);
  const fallback = await fallbackOf(options, source);
  return {
    site: { host, ca, mirrors, fallback, user: await userOf(options) },
    notes: [
      ...(ca === undefined
        ? [
            `No authority is written: the node must already trust the certificate of ${host}. For a private authority give --ca FILE.`,
          ]
        : []),
      ...(source ? servingNotes(source.config, mirrors) : []),
    ],
  };
}

interface Source {
  path: string;
  config: Config;
}

async function readConfig(path: string): Promise<Source> {
  const { config, errors } = await inspectFile(path);
  if (!config || errors.length > 0)
    throw new UsageError(`${path} has errors: run breakwater check, or name the edge with --hostname`);
  return { path, config };
}

function hostOf(config: Config | undefined): string {
  const port = /:(\d+)$/.exec(config?.listen.https ?? '')?.[1];
  const name = config?.hostname ?? '';
  return port === undefined || port === '443' || port === '0' ? name : `${name}:${port}`;
}

function hostName(text: string, option: string): string {
  const host = text.toLowerCase();
  if (HOST.test(host)) return host;
  throw new UsageError(
    `${option} ${JSON.stringify(text)} is no host: expected HOST or HOST:PORT, without https:// and path`,
  );
}

async function authority({ ca }: ClientOptions, source: Source | undefined): Promise<string | undefined> {
  if (ca !== undefined) return await readAuthority(ca, '--ca');
  if (!source) return undefined;
  const [pair] = certificateFiles(source.config);
  return pair && (await selfSignedOf(resolve(dirname(resolve(source.path)), pair.certFile)));
}

function mirrorOf(text: string): Mirror {
  const [registry = '', ...rest] = text.split('=');
  const given = rest.join('=');
  const prefix = given === '' || given.endsWith('/') ? given : `${given}/`;
  if (prefix !== '' && !isRepositoryPrefix(prefix))
    throw new UsageError(
      `--mirror ${JSON.stringify(text)}: expected REGISTRY=PREFIX/, such as docker.io=dockerhub-proxy/`,
    );
  return { registry: hostName(registry, '--mirror'), prefix };
}

async function fallbackOf(options: ClientOptions, source: Source | undefined): Promise<Fallback | undefined> {
  const ca = options.fallbackCa === undefined ? undefined : await readAuthority(options.fallbackCa, '--fallback-ca');
  if (options.fallback !== undefined) {
    const [host = '', ...path] = options.fallback.split('/');
    const at = path
      .filter(Boolean)
      .map((part) => `${part}/`)
      .join('');
    if (at !== '' && !isRepositoryPrefix(at))
      throw new UsageError(
        `--fallback ${JSON.stringify(options.fallback)}: expected HOST/PATH, such as europe-docker.pkg.dev/PROJECT/REPOSITORY`,
      );
    return { host: hostName(host, '--fallback'), ca, places: [{ prefix: '', at }] };
  }
  if (!options.withFallback || !source) return undefined;
  const found = configuredFallback(source.config);
  if (!found)
    throw new UsageError(
      `${source.path} has no fallback: no route without registry: has a second upstream. Name one with --fallback HOST/PATH.`,
    );
  const { upstream, places } = found;
  const { urls, caFile } = upstream;
  const url = new URL(urls[0] ?? '');
  if (url.protocol !== 'https:' || url.pathname !== '/')
    throw new UsageError(
      `${url.href} cannot be a fallback of clients: expected https and no path. Name another with --fallback HOST/PATH.`,
    );
  const own =
    caFile === undefined ? undefined : await readAuthority(resolve(dirname(resolve(source.path)), caFile), 'caFile');
  return { host: url.host, ca: ca ?? own, places };
}

/** The password comes from a file, since command lines are seen by all users of a machine. */
async function userOf({ user, passwordFile }: ClientOptions): Promise<ClientUser | undefined> {
  if (user === undefined && passwordFile === undefined) return undefined;
  if (user === undefined || passwordFile === undefined)
    throw new UsageError('--user and --password-file belong together: give both or none');
  if (!/^[^\s:\0]+$/.test(user)) throw new UsageError(`--user ${JSON.stringify(user)} has a colon or a space`);
  const content = await readBounded(passwordFile, MAX_PASSWORD_BYTES).catch((error: unknown) => {
    throw new UsageError(`--password-file ${passwordFile} ${unreadable(error)}`);
  });
  const password = content?.toString('utf8').replace(/\r?\n$/, '') ?? '';
  if (password === '')
    throw new UsageError(`--password-file ${passwordFile} is empty or too long; expected the password alone`);
  if (/[\0\r\n]/.test(password))
    throw new UsageError(`--password-file ${passwordFile} has several lines; expected the password alone`);
  return { name: user, password };
}

/** The first upstream that is a fallback, and where it keeps the images of each route. */
function configuredFallback(config: Config): { upstream: Config['upstreams'][string]; places: Place[] } | undefined {
  const routes = config.routes.filter(({ registry }) => registry === undefined);
  const entries = routes.flatMap(({ prefix, push, pull }) =>
    pull
      .slice(1)
      .flatMap((entry) =>
        entry.upstream === push ? [] : [{ prefix, ...entry, at: entry.prefix ?? prefix, of: prefix }],
      ),
  );
  const name = entries[0]?.upstream;
  const upstream = name === undefined ? undefined : config.upstreams[name];
  if (!upstream) return undefined;
  const places = entries.filter((entry) => entry.upstream === name).map(({ of, at }) => ({ prefix: of, at }));
  return { upstream, places: places.sort((a, b) => b.prefix.length - a.prefix.length) };
}

/** containerd and BuildKit name the registry of a mirrored image, so the edge must know it. */
function servingNotes(config: Config, mirrors: readonly Mirror[]): string[] {
  if (config.hosts.nsFallback) return [];
  const unknown = mirrors.filter(({ registry }) => !config.routes.some((route) => route.registry === registry));
  return unknown.map(
    ({ registry }) =>
      `The edge answers 404 to containerd, k3s, microk8s and BuildKit for images of ${registry}, because they name it (?ns=): add a route with registry: ${registry}, or set hosts.nsFallback: true.`,
  );
}
