import { readFile } from 'node:fs/promises';
import { type Loaded, loadConfig } from '../../config/load.ts';
import { replicationCredentials } from '../../config/replication-user.ts';
import type { UpstreamConfig } from '../../config/schema.ts';
import { imageName } from '../../oci/reference.ts';
import { ensureCanary } from '../../replication/canary-image.ts';
import { CopyError, messageOf } from '../../replication/copy-error.ts';
import { configuredRegistry } from '../../replication/registry/configured-registry.ts';
import { RemoteRegistry } from '../../replication/registry/remote-registry.ts';
import { RetryPolicy } from '../../replication/registry/retry-policy.ts';
import { Connection } from '../../upstream/connection.ts';
import { CredentialSources } from '../../upstream/credentials/credential-sources.ts';
import type { CanaryReading } from '../../upstream/health/byte-range-probe.ts';
import { Canary } from '../../upstream/health/canary.ts';
import { BufferPool } from '../../upstream/reader/buffer-pool.ts';
import { Resolver } from '../../upstream/resolver.ts';
import { UpstreamError } from '../../upstream/upstream-error.ts';
import { configPath, UsageError } from '../config-path.ts';
import { abortOnSignals } from '../interruption.ts';
import { type CanaryPushOptions, type CanaryTarget, canaryTargets } from './canary-target.ts';
import { type CanaryReport, canaryText } from './canary-text.ts';
import { refuseLostStorage } from './lost-storage.ts';

interface User {
  username: string;
  password: string;
}

/** What canaries are pushed with. */
export interface CanaryPush {
  loaded: Loaded;
  /** From the command line. */
  user: User | undefined;
  /** The operator says that an empty registry is new. */
  isNew: boolean;
}

/** Time for one upstream. */
const TIMEOUT_MS = 30_000;

/** Runs `breakwater canary push`. @returns whether every upstream has its canary @throws UsageError, ConfigError */
export async function pushCanaries(named: readonly string[], options: CanaryPushOptions): Promise<boolean> {
  const user = await userOf(named, options);
  const loaded = await loadConfig(configPath(options.config));
  const { signal } = abortOnSignals(['SIGINT', 'SIGTERM', 'SIGHUP']);
  const reports = await pushNamed({ loaded, user, isNew: options.new === true }, named, signal);
  process.stdout.write(options.json ? `${JSON.stringify(reports, null, 2)}\n` : canaryText(reports));
  return reports.every(({ result }) => result !== 'failed');
}

/** Pushes the canaries of the upstreams that were named, else of all. @throws UsageError */
export async function pushNamed(
  from: CanaryPush,
  named: readonly string[],
  stopped: AbortSignal,
): Promise<CanaryReport[]> {
  const targets = canaryTargets(from.loaded.config, named);
  return Promise.all(targets.map((target) => pushOne(from, target, stopped)));
}

async function userOf(named: readonly string[], { user, passwordFile }: CanaryPushOptions): Promise<User | undefined> {
  if (user === undefined && passwordFile === undefined) return undefined;
  if (user === undefined || passwordFile === undefined)
    throw new UsageError('--user and --password-file belong together');
  if (named.length !== 1) throw new UsageError('--user is for one upstream; name it');
  const password = await readFile(passwordFile, 'utf8').catch((error: Error) => {
    throw new UsageError(`--password-file: ${error.message}`);
  });
  return { username: user, password: password.replace(/\r?\n$/, '') };
}

async function pushOne(from: CanaryPush, target: CanaryTarget, stopped: AbortSignal): Promise<CanaryReport> {
  const { upstream, repository, reference, configured } = target;
  const report = { upstream, image: imageName(repository, reference), configured };
  const signal = AbortSignal.any([stopped, AbortSignal.timeout(TIMEOUT_MS)]);
  const urls = from.loaded.config.upstreams[upstream]?.urls ?? [];
  const failures: string[] = [];
  for (const url of urls)
    try {
      return { ...report, ...(await pushAt(from, target, url, signal)) };
    } catch (error) {
      failures.push(messageFor(error, signal, stopped));
      // All URLs share one storage, and another URL would refuse the same.
      if (!(error instanceof UpstreamError) || error.reason === 'credentials') break;
    }
  const [message = 'it has no URL'] = failures;
  return { ...report, result: 'failed', message, remedy: remedyOf(message, target) };
}

async function pushAt(
  { loaded, user, isNew }: CanaryPush,
  { upstream: name, repository, reference }: CanaryTarget,
  url: string,
  signal: AbortSignal,
): Promise<Pick<CanaryReport, 'result' | 'message'>> {
  const { config, material } = loaded;
  const upstream = config.upstreams[name];
  if (!upstream) throw new Error(`no upstream ${name}`);
  const network = { resolver: new Resolver(), pool: new BufferPool(), sources: new CredentialSources() };
  const secrets = material.upstreams[name] ?? {};
  const { connection } = user
    ? { connection: new Connection(url, asUser(upstream, user), { ca: secrets.ca, password: user.password }, network) }
    : configuredRegistry(name, url, upstream, secrets, network);
  const probing = new Connection(url, upstream, secrets, network);
  try {
    // No retries: the command reports the state of this moment.
    const registry = new RemoteRegistry(name, connection, new RetryPolicy({ limitMs: 0 }));
    const isThere = (await registry.resolveDigest(repository, reference, signal)) !== undefined;
    if (!isNew && !isThere) await refuseLostStorage(loaded, registry, signal);
    const result = await ensureCanary(registry, repository, reference, signal);
    const { state, reason } = await readAsProbe(probing, imageName(repository, reference), signal);
    if (state === 'good') return { result, message: result === 'pushed' ? 'pushed' : 'already there' };
    throw new CopyError(`${name} has the image, but its probe cannot read it: ${reason}`);
  } finally {
    await Promise.all([connection.close(), probing.close()]);
  }
}

/** Reads the image as probes will. */
function readAsProbe(connection: Connection, image: string, signal: AbortSignal): Promise<CanaryReading> {
  return new Canary(image).read((path, headers, scopes) =>
    connection.sendProbe({
      method: 'GET',
      path,
      headers,
      scopes: scopes === 'api' ? [] : scopes,
      signal,
      redirects: 'follow',
    }),
  );
}

function asUser(upstream: UpstreamConfig, { username }: User): UpstreamConfig {
  const own = replicationCredentials(upstream);
  const realmHosts = own === 'none' ? [] : own.realmHosts;
  return { ...upstream, credentials: { username, passwordFile: '', realmHosts } };
}

function messageFor(error: unknown, signal: AbortSignal, stopped: AbortSignal): string {
  if (stopped.aborted) return 'interrupted';
  return signal.aborted ? `it did not take the image within ${TIMEOUT_MS / 1000} s` : messageOf(error);
}

function remedyOf(message: string, { upstream, configured }: CanaryTarget): string {
  if (/storage may be missing/.test(message))
    return 'mount its storage; to rebuild it, run breakwater sync; if it is new, repeat this with --new';
  if (/probe cannot read/.test(message))
    return `set upstreams.${upstream}.probe.credentials to an account that may pull it`;
  if (/\b40[13]\b|credentials/.test(message))
    return `name a user that may push: upstreams.${upstream}.replication.credentials, or --user and --password-file`;
  if (/\b404\b|project|not found/i.test(message))
    return `create the project or repository there first${configured ? ', or correct probe.canary' : ', or name another image in probe.canary'}`;
  return `check that ${upstream} answers and takes pushes: breakwater check`;
}
