import type { X509Certificate } from 'node:crypto';
import { compactVerify, decodeProtectedHeader } from 'jose';
import { isSelfSigned } from '../../certificates/certificate-facts.ts';
import { dayOf, readCertificates, titleOf } from '../../certificates/certificate-text.ts';
import type { Loaded } from '../../config/load.ts';
import { reachOf } from '../../upstream/allowed-hosts.ts';
import { Client } from '../../upstream/client.ts';
import { SIGNATURES } from '../../upstream/credentials/issuer-keys.ts';
import type { Login } from '../../upstream/credentials/own-user.ts';
import { fetchToken, tokenServiceUrl, usableChallenge } from '../../upstream/credentials/token-service.ts';
import type { Resolver } from '../../upstream/resolver.ts';
import { asUpstreamError } from '../../upstream/upstream-error.ts';
import { explained, readText } from '../cert/certificate-files.ts';
import { probeTls, readPlace } from '../cert/tls-probe.ts';
import { UsageError } from '../config-path.ts';
import type { CheckFinding } from './reachability.ts';

const TIMEOUT_MS = 5_000;

/** The certificates of a registry such as GitLab's, whose token service is a server of its own. */
interface Seen {
  /** Of the token service, which is GitLab's web server; undefined: it speaks no TLS. */
  web: X509Certificate | undefined;
  registry: X509Certificate | undefined;
  /** Of `rootcertbundle`: the registry takes tokens that were signed by one of their keys. */
  issuers: readonly X509Certificate[];
}

/**
 * Whether a registry will take the tokens of its token service: each token is signed, and the registry verifies it with the certificates of
 * its `rootcertbundle`.
 * @param given `UPSTREAM=FILE`, a copy of that file
 */
export async function checkTokenIssuer(
  { config, material }: Loaded,
  given: string,
  { resolver, now }: { resolver: Resolver; now: number },
): Promise<CheckFinding[]> {
  const [, name = '', file = ''] = /^([^=]+)=(.+)$/.exec(given) ?? [];
  const upstream = config.upstreams[name];
  if (!upstream)
    throw new UsageError(
      `--rootcertbundle ${given}: expected UPSTREAM=FILE, with one of ${Object.keys(config.upstreams).join(', ')}`,
    );
  const text = await readText(file);
  const issuers = await explained(file, () => readCertificates(text, 'it'));
  const url = new URL(upstream.urls[0] ?? '');
  const subject = `upstreams.${name}`;
  const ca = material.upstreams[name]?.ca;
  const client = new Client(url, { ca, connectMs: TIMEOUT_MS, connections: 1, resolver });
  try {
    const realm = await realmOf(client, url, { reach: reachOf(upstream), key: `${subject}.realmHosts` });
    const seen = { web: await leafOf(realm), registry: await leafOf(url), issuers };
    const { token } = await tokenOf(client, realm, loginOf(upstream, material.upstreams[name]));
    return [...whichFindings(subject, seen, now), await issuerFinding(subject, { token, realm, file, seen })];
  } catch (error) {
    const message = `the token issuer cannot be checked: ${asUpstreamError(error).message}`;
    const remedy = `the check needs a token: set ${subject}.probe.credentials to a user of GitLab, such as a deploy token`;
    return [{ level: 'error', subject, message, remedy }];
  } finally {
    await client.destroy();
  }
}

type Rules = Pick<Parameters<typeof tokenServiceUrl>[1], 'reach' | 'key'>;

/** @throws UpstreamError */
async function realmOf(client: Client, url: URL, rules: Rules): Promise<URL> {
  const path = `${url.pathname.replace(/\/$/, '')}/v2/`;
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const answer = await client.send({ method: 'GET', path, headers: { host: url.host }, signal });
  await answer.body.dump({ limit: 65_536 });
  const challenge = usableChallenge(answer.headers.get('www-authenticate'));
  if (challenge?.scheme !== 'bearer') throw new Error(`${url.host} names no token service (status ${answer.status})`);
  return tokenServiceUrl(challenge, { ...rules, upstream: url, failure: 'malformed' });
}

async function tokenOf(client: Client, realm: URL, login: Login | undefined): Promise<{ token: string }> {
  return { token: (await fetchToken(client, realm, login, TIMEOUT_MS)).value };
}

/** The login of the edge's own user with a password file; undefined: it has none. */
function loginOf(
  { credentials, probe }: Loaded['config']['upstreams'][string],
  secrets: Loaded['material']['upstreams'][string] | undefined,
): Login | undefined {
  const accounts = [
    { account: credentials, password: secrets?.password },
    { account: probe.credentials, password: secrets?.probePassword },
  ];
  for (const { account, password } of accounts)
    if (typeof account === 'object' && 'username' in account && password !== undefined)
      return { username: account.username, password };
  return undefined;
}

/** Undefined: the server speaks no TLS, or does not answer any more. */
async function leafOf(url: URL): Promise<X509Certificate | undefined> {
  if (url.protocol !== 'https:') return undefined;
  const answer = await probeTls(readPlace(url.host)).catch(() => undefined);
  return answer?.chain[0];
}

/** Says which certificate is which, and until when each is valid. */
function whichFindings(subject: string, { web, registry, issuers }: Seen, now: number): CheckFinding[] {
  const all: [string, X509Certificate | undefined][] = [
    ['web certificate, of the token service', web],
    ['certificate of the registry', registry],
    ...issuers.map((one): [string, X509Certificate] => ['certificate of the token issuer', one]),
  ];
  return all.flatMap(([title, one]): CheckFinding[] => {
    if (!one) return [];
    const by = isSelfSigned(one) ? 'itself' : titleOf(one, 'issuer');
    const message = `${title}: ${titleOf(one)}, by ${by}, valid until ${dayOf(one.validToDate)}`;
    if (one.validToDate.getTime() > now) return [{ level: 'ok', subject, message }];
    return [{ level: 'error', subject, message: `${message}: it has expired`, remedy: 'renew it in GitLab' }];
  });
}

async function issuerFinding(
  subject: string,
  { token, realm, file, seen }: { token: string; realm: URL; file: string; seen: Seen },
): Promise<CheckFinding> {
  const signer = await signerOf(token, seen.issuers);
  if (signer === 'no-jwt') {
    const message = `the token of ${realm.host} is no signed JWT, so no certificate verifies it`;
    return { level: 'warning', subject, message, remedy: 'ask without --rootcertbundle: this is not GitLab' };
  }
  if (signer)
    return { level: 'ok', subject, message: `tokens of ${realm.host} are signed by the key of ${titleOf(signer)}` };
  const message = `tokens of ${realm.host} are signed by a key that is not in ${file}, so the registry refuses all of them`;
  const mixed = mixUp(seen);
  const key = 'the key that GitLab signs with (registry.key in gitlab.yml; Omnibus: gitlab-registry.key)';
  const remedy = `${mixed === undefined ? '' : `the file holds ${mixed}. `}Give rootcertbundle of the registry the certificate of ${key}, and restart the registry`;
  return { level: 'error', subject, message, remedy };
}

/** What the file holds in place of the certificate of the issuer. */
function mixUp({ web, registry, issuers }: Seen): string | undefined {
  const isIn = (one: X509Certificate | undefined) =>
    one !== undefined && issuers.some(({ publicKey }) => publicKey.equals(one.publicKey));
  if (isIn(web)) return 'the web certificate';
  return isIn(registry) ? 'the certificate of the registry' : undefined;
}

/** The certificate whose key signed a token; undefined: none of them. */
async function signerOf(
  token: string,
  certificates: readonly X509Certificate[],
): Promise<X509Certificate | 'no-jwt' | undefined> {
  try {
    decodeProtectedHeader(token);
  } catch {
    return 'no-jwt';
  }
  for (const one of certificates) {
    const verified = await compactVerify(token, one.publicKey, { algorithms: SIGNATURES }).catch(() => undefined);
    if (verified) return one;
  }
  return undefined;
}
