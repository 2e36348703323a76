import type { Command } from 'commander';
import { canaryLogin } from '../../app/canary-login.ts';
import { isRealmElsewhere, refusedRealmLine } from '../../app/refused-realm.ts';
import { acmeOf } from '../../config/acme-names.ts';
import { ConfigError } from '../../config/config-error.ts';
import { inspectFile, type Loaded, loadConfig } from '../../config/load.ts';
import type { Config } from '../../config/schema.ts';
import { CredentialSources } from '../../upstream/credentials/credential-sources.ts';
import { BufferPool } from '../../upstream/reader/buffer-pool.ts';
import { Resolver } from '../../upstream/resolver.ts';
import { Upstream } from '../../upstream/upstream.ts';
import { configPath, UsageError } from '../config-path.ts';
import { accountFindings } from './account-findings.ts';
import { acmeFindings } from './acme-findings.ts';
import { checkAuthority, checkCanaryLogin } from './authority-check.ts';
import { certificateFindings } from './certificate-findings.ts';
import { changesSince } from './changes-since.ts';
import { checkIssuers } from './issuer-check.ts';
import { checkPeers } from './peer-check.ts';
import { type CheckFinding, checkUpstream, modeFindings } from './reachability.ts';
import { checkReplication } from './replication-check.ts';
import { checkTokenIssuer } from './token-issuer-check.ts';

export interface CheckOptions {
  offline?: boolean;
  from?: string;
  /** Each `UPSTREAM=FILE`. */
  rootcertbundle?: string[];
}

export function registerCheck(program: Command): void {
  program
    .command('check')
    .description(
      'Check the configuration and that everything in it can be reached. Each finding has a remedy. Exit status 1 on errors.',
    )
    .option('-c, --config <file>', 'configuration (default: BREAKWATER_CONFIG, else ./breakwater.yaml)')
    .option('--offline', 'check only the configuration and its files, and contact nothing')
    .option('--from <release>', 'also name every line whose meaning has changed since that release: 0.1')
    .option(
      '--rootcertbundle <upstream=file>',
      "a copy of the file that a GitLab registry verifies tokens with: whether it is the token issuer's; may be repeated",
      (text: string, before: string[] = []) => [...before, text],
    )
    .option('--json', 'print JSON')
    .action(async (options: CheckOptions & { config?: string; json?: boolean }) => {
      const findings = await check(configPath(options.config), options);
      process.stdout.write(options.json ? `${JSON.stringify(findings, null, 2)}\n` : findingsText(findings));
      if (findings.some((finding) => finding.level === 'error')) process.exitCode = 1;
    });
}

/** The lines whose meaning has changed, from top to bottom. Errors of the configuration are for `check` to tell. */
async function changeFindings(path: string, release: string): Promise<CheckFinding[]> {
  const { config, locate } = await inspectFile(path).catch(() => ({ config: undefined, locate: undefined }));
  if (!config) return [];
  const changes = changesSince(release, config).map((change) => ({ ...change, ...locate(change) }));
  return changes
    .toSorted((a, b) => Number(a.key === '') - Number(b.key === '') || a.line - b.line)
    .map(({ line, column, key, message, remedy }) => {
      // A key that is not written down has its default.
      const isDefault = line === 1 && column === 1;
      const place = isDefault ? `${path} ${key} (its default)` : `${path}:${line}:${column} ${key}`;
      return { level: 'warning', subject: key === '' ? `since ${release}` : place, message, remedy };
    });
}

/** All findings, errors of the configuration among them. @throws UsageError for a release of which nothing is known */
export async function check(
  path: string,
  { offline = false, from, rootcertbundle = [] }: CheckOptions,
): Promise<CheckFinding[]> {
  if (offline && rootcertbundle.length > 0)
    throw new UsageError('--rootcertbundle asks the registry for a token, so it cannot be --offline');
  const changes = from === undefined ? [] : await changeFindings(path, from);
  return [...changes, ...(await stateFindings(path, offline, rootcertbundle))];
}

async function stateFindings(path: string, offline: boolean, bundles: readonly string[]): Promise<CheckFinding[]> {
  let loaded: Loaded;
  try {
    loaded = await loadConfig(path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.findings.map(({ file, line, column, key, message, remedy }) => ({
      level: 'error',
      subject: `${file}:${line}:${column} ${key}`.trimEnd(),
      message,
      remedy,
    }));
  }
  const findings = [
    ...configurationFindings(loaded),
    ...(await acmeFindings(loaded, { now: Date.now(), offline })),
    ...(acmeOf(loaded.config) ? [] : certificateFindings(loaded.config.hostname, loaded.material.tls, Date.now())),
  ];
  if (offline) return findings;
  const issuers = await checkIssuers(loaded, new Resolver());
  const network = { resolver: new Resolver(), now: Date.now() };
  const tokens = await Promise.all(bundles.map((given) => checkTokenIssuer(loaded, given, network)));
  const upstreams = await upstreamFindings(loaded);
  const peers = await checkPeers(loaded, new Resolver());
  return [...findings, ...peers, ...upstreams, ...tokens.flat(), ...issuers, ...(await checkReplication(loaded))];
}

function configurationFindings({ path, config, warnings }: Loaded): CheckFinding[] {
  const findings: CheckFinding[] = [{ level: 'ok', subject: path, message: 'the configuration is valid' }];
  for (const { key, message, remedy } of warnings) findings.push({ level: 'warning', subject: key, message, remedy });
  // Where Breakwater issues tokens, a warning of the configuration has named the missing keyFile already.
  if (config.keyFile === undefined && !warnings.some(({ key }) => key === 'keyFile')) {
    const message =
      'without keyFile a new key is made at each start: uploads end at a restart, and a pair cannot share them';
    const remedy = 'make one, and name it as keyFile: head -c 48 /dev/urandom | base64 > edge.key';
    findings.push({ level: 'warning', subject: 'keyFile', message, remedy });
  }
  return findings;
}

async function upstreamFindings({ config, material }: Loaded): Promise<CheckFinding[]> {
  const { auth } = config;
  const network = { resolver: new Resolver(), pool: new BufferPool(), sources: new CredentialSources() };
  const ignore = () => undefined;
  const silent = {
    health: ignore,
    breaker: ignore,
    gate: ignore,
    credentials: ignore,
    corruptCopy: ignore,
    content: ignore,
  };
  const findings = await Promise.all(
    Object.entries(config.upstreams).map(async ([name, upstreamConfig]) => {
      const upstream = new Upstream(name, upstreamConfig, material.upstreams[name] ?? {}, network, silent);
      try {
        await upstream.start();
        const accounts = upstream.view().credentials.accounts ?? [];
        const isPushedTo = config.routes.some(({ push }) => push === name);
        const findings = [
          ...(await checkUpstream(upstream)),
          ...(isPushedTo ? modeFindings(upstream.view()) : []),
          ...accountFindings(name, accounts, Date.now()),
        ];
        const decides = auth.mode === 'delegate' && upstreamConfig.credentials === 'forward';
        if (!decides) return [...findings, ...realmFindings(config, upstream)];
        const login = canaryLogin(config, material, name);
        const logins = [checkAuthority(upstream, auth.realmHosts), checkCanaryLogin(upstream, login)];
        return [findings, ...(await Promise.all(logins)), realmFindings(config, upstream)].flat();
      } finally {
        await upstream.stop();
      }
    }),
  );
  return findings.flat();
}

/** Token services that the requests of this check have met, and that get nothing. */
function realmFindings(config: Config, { name, refusedRealms }: Upstream): CheckFinding[] {
  const hosts = refusedRealms.filter((host) => isRealmElsewhere(config, name, host));
  return hosts.map((host) => ({
    level: 'error',
    subject: `upstreams.${name}.realmHosts`,
    message: `${name} names a token service at ${host}, which gets no request and no credentials`,
    remedy: `if it is the one of ${name}, add the line: ${refusedRealmLine(name, host)}`,
  }));
}

const MARKS = { ok: 'ok     ', warning: 'warning', error: 'error  ' };

/** The findings for a terminal. */
export function findingsText(findings: CheckFinding[]): string {
  const lines = findings.map(
    ({ level, subject, message, remedy }) =>
      `${MARKS[level]}  ${subject}: ${message}${remedy === undefined ? '' : `\n         -> ${remedy}`}`,
  );
  const count = (level: CheckFinding['level']) => findings.filter((finding) => finding.level === level).length;
  return `${lines.join('\n')}\n${count('error')} errors, ${count('warning')} warnings\n`;
}
