import { isUserName } from '../../config/htpasswd.ts';
import { address, hostName, image, prefix, realmHost } from '../../config/text.ts';
import { UsageError } from '../config-path.ts';
import { fallbackAdvice, primaryAdvice } from './account-advice.ts';
import { choice, parsed } from './answer-parser.ts';
import { type CertificateOptions, certificateOf } from './certificate-questions.ts';
import { readAuthority } from './input-file.ts';
import type { Interview } from './interview.ts';
import { helperLogin } from './login-option.ts';
import { type FallbackAddress, fallbackAddress, registryUrl } from './registry-address.ts';
import type { Account, AuthMode, RegistryLogin, SitePlan } from './site-plan.ts';

/** Options of `breakwater init` that describe the site. */
export interface SiteOptions extends CertificateOptions {
  hostname?: string;
  https: string;
  admin: string;
  prefix?: string;
  canary?: string;
  auth?: string;
  realmHost?: string[];
  fallbackRealmHost?: string[];
  primary?: string;
  primaryKind?: string;
  primaryCa?: string;
  primaryUser?: string;
  primaryPasswordFile?: string;
  fallback?: string;
  fallbackKind?: string;
  fallbackCa?: string;
  fallbackUser?: string;
  fallbackPasswordFile?: string;
  fallbackHelper?: string;
  fallbackMetadata?: string;
  loginUser?: string;
  loginPasswordFile?: string;
}

const KINDS = ['harbor', 'registry'] as const;
const FALLBACK_KINDS = ['artifact-registry', 'harbor', 'registry'] as const;
const MODES = ['delegate', 'htpasswd', 'open'] as const;

const MODE_HELP = [
  'Who logs in at the edge?',
  'delegate: users of the primary. What it let them pull counts during its outage too.',
  'htpasswd: users of the edge itself.',
  'open: nobody. The edge then gives every image of the fallback to every client while the primary is down.',
];

/** Asks for everything that is not given. @throws UsageError for a wrong option, or if one is missing and nobody can be asked */
export async function planSite(interview: Interview, options: SiteOptions): Promise<SitePlan> {
  const route = parsed(prefix, '--prefix', options.prefix ?? '');
  const canary = parsed(image, '--canary', options.canary ?? `${route || 'library/'}canary:latest`);
  const hostname = await interview.answer({
    ...{ flag: '--hostname', given: options.hostname, text: 'Hostname that clients use, such as cr.example.io' },
    parse: (text) => parsed(hostName, '--hostname', text),
  });
  const primary = await primaryOf(interview, options);
  const auth = await interview.answer<AuthMode>({
    ...{ flag: '--auth', given: options.auth, text: 'Who logs in', help: MODE_HELP },
    usual: primary.kind === 'harbor' ? 'delegate' : 'htpasswd',
    parse: (text) => choice(MODES, '--auth', text),
  });
  const account = await primaryAccount(interview, options, { kind: primary.kind, auth, canary });
  const fallback = await fallbackOf(interview, options);
  const user = auth === 'htpasswd' ? await firstUser(interview, options) : undefined;
  const certificate = await certificateOf(interview, options);
  interview.finish();
  if (!hostname || !auth) throw new Error('an answer is missing');
  return {
    ...{ hostname, auth, user, certificate, prefix: route },
    https: parsed(address, '--https', options.https),
    admin: parsed(address, '--admin', options.admin),
    realmHosts: (options.realmHost ?? []).map((text) => parsed(realmHost, '--realm-host', text)),
    primary: { ...primary, account, canary },
    fallback,
  };
}

async function primaryOf(
  interview: Interview,
  options: SiteOptions,
): Promise<Omit<SitePlan['primary'], 'account' | 'canary'>> {
  const url = await interview.answer({
    ...{ flag: '--primary', given: options.primary, text: 'Primary registry, such as https://harbor.lan' },
    parse: (text) => registryUrl(text, '--primary'),
  });
  const kind = await interview.answer({
    ...{ flag: '--primary-kind', given: options.primaryKind, text: 'Kind of the primary (harbor or registry)' },
    usual: 'harbor',
    parse: (text) => choice(KINDS, '--primary-kind', text),
  });
  const ca = await authorityOf(interview, '--primary-ca', options.primaryCa, url ?? 'https:');
  return { url: url ?? '', kind: kind ?? 'harbor', ca };
}

async function fallbackOf(interview: Interview, options: SiteOptions): Promise<SitePlan['fallback']> {
  const address = await interview.answer<FallbackAddress>({
    ...{ flag: '--fallback', given: options.fallback },
    text: 'Fallback registry and path, such as europe-docker.pkg.dev/PROJECT/REPOSITORY',
    parse: (text) => fallbackAddress(text, '--fallback'),
  });
  const known = address ?? { url: 'https:', prefix: '', kind: 'artifact-registry' };
  const kind =
    options.fallbackKind === undefined ? known.kind : choice(FALLBACK_KINDS, '--fallback-kind', options.fallbackKind);
  // Google's registries have certificates of a public CA.
  const isPublic = kind === 'artifact-registry' && options.fallbackCa === undefined;
  const ca = isPublic ? undefined : await authorityOf(interview, '--fallback-ca', options.fallbackCa, known.url);
  const realmHosts = (options.fallbackRealmHost ?? []).map((text) => parsed(realmHost, '--fallback-realm-host', text));
  return { ...known, kind, ca, realmHosts, account: await fallbackAccount(interview, options, kind) };
}

async function fallbackAccount(
  interview: Interview,
  { fallbackHelper, fallbackMetadata, fallbackUser, fallbackPasswordFile }: SiteOptions,
  kind: FallbackAddress['kind'],
): Promise<RegistryLogin | undefined> {
  const login = helperLogin({
    ...{ helper: fallbackHelper, metadata: fallbackMetadata, user: fallbackUser, passwordFile: fallbackPasswordFile },
  });
  if (login) return login;
  const username = await interview.answer({
    ...{ flag: '--fallback-user', given: fallbackUser, text: 'User of the edge at the fallback' },
    ...{ help: fallbackAdvice(kind), usual: kind === 'artifact-registry' ? '_json_key' : '' },
    parse: (text) => userNameOf(text, '--fallback-user'),
  });
  if (!username) return undefined;
  const isKey = username === '_json_key';
  const password = await interview.secret({
    ...{ flag: '--fallback-password-file', given: fallbackPasswordFile, isFile: isKey },
    text: isKey ? 'File with the JSON key of the service account' : `Password of ${username}`,
    ...(isKey ? { check: checkKeyFile } : {}),
  });
  return { username, password: password ?? '' };
}

async function primaryAccount(
  interview: Interview,
  options: SiteOptions,
  { kind, auth, canary }: { kind: 'harbor' | 'registry'; auth: AuthMode | undefined; canary: string },
): Promise<Account | undefined> {
  const isNeeded = kind === 'harbor' || auth === 'delegate';
  const username = await interview.answer({
    ...{ flag: '--primary-user', given: options.primaryUser, text: 'User of the edge at the primary' },
    help: primaryAdvice(kind, auth ?? 'delegate', canary),
    ...(isNeeded ? {} : { usual: '' }),
    parse: (text) => userNameOf(text, '--primary-user'),
  });
  if (!username && !isNeeded) return undefined;
  const password = await interview.secret({
    ...{ flag: '--primary-password-file', given: options.primaryPasswordFile },
    text: `Password of ${username}`,
  });
  return { username: username ?? '', password: password ?? '' };
}

async function firstUser(interview: Interview, options: SiteOptions): Promise<Account> {
  const username = await interview.answer({
    ...{ flag: '--login-user', given: options.loginUser, text: 'First user of the edge, who may push' },
    parse: (text) => {
      if (!isUserName(text))
        throw new UsageError(`--login-user: ${text} is not a user name: use letters, digits and . _ @ $ + -`);
      return text;
    },
  });
  const password = await interview.secret({
    ...{ flag: '--login-password-file', given: options.loginPasswordFile, isNew: true },
    text: `Password of ${username}`,
  });
  return { username: username ?? '', password: password ?? '' };
}

async function authorityOf(
  interview: Interview,
  flag: string,
  given: string | undefined,
  url: string,
): Promise<string | undefined> {
  if (given === undefined && url.startsWith('http:')) return undefined;
  const text = 'File with the CA of its certificate';
  return interview.answer({ flag, given, text, usual: '', parse: (file) => readAuthority(flag, file) });
}

/** A JSON key of Google: nothing else works as a password of `_json_key`. @throws UsageError */
function checkKeyFile(text: string): void {
  let type: unknown;
  try {
    type = JSON.parse(text)?.type;
  } catch {
    // The text is a secret, and the parser would quote it.
  }
  if (type !== 'service_account')
    throw new UsageError(
      '--fallback-password-file: the file is no JSON key of a service account; expected "type": "service_account" in it',
    );
}

function userNameOf(text: string, flag: string): string {
  // A colon ends the user name of Basic.
  if (/[:\p{Cc}]/u.test(text)) throw new UsageError(`${flag}: a user name has no colon and no control character`);
  return text;
}
