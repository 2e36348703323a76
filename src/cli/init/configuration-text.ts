import { yamlScalar } from './quoted-name.ts';
import { FILES, fallbackCanary, needsAdminToken, type RegistryLogin, type SitePlan } from './site-plan.ts';

const COMMENT_COLUMN = 36;
const HTTP = '0.0.0.0:80';

/** The configuration of a site, as YAML with comments. */
export function configurationText(plan: SitePlan): string {
  const lines = [
    '# Made by `breakwater init`. docs/configuration.md explains every key, and `breakwater check` finds mistakes.',
    note(`hostname: ${yamlScalar(plan.hostname)}`, 'the one name that clients use'),
    'listen:',
    `  https: ${yamlScalar(plan.https)}`,
    ...(plan.certificate.from === 'acme'
      ? [note(`  http: ${HTTP}`, 'the ACME server asks here; everything else is redirected to https')]
      : []),
    note(`  admin: ${yamlScalar(plan.admin)}`, 'status page, metrics and health; only for this machine on 127.0.0.1'),
    ...(needsAdminToken(plan) ? [note(`adminTokenFile: ${FILES.adminToken}`, 'the status page asks for it')] : []),
    ...certificateLines(plan),
    note(`keyFile: ${FILES.key}`, 'seals tokens and uploads; a second edge needs the same file'),
    ...authLines(plan),
    'upstreams:',
    ...primaryLines(plan),
    ...fallbackLines(plan),
    'routes:',
    note(`  - prefix: ${yamlScalar(plan.prefix)}`, plan.prefix === '' ? 'every repository' : 'these repositories'),
    note('    push: primary', 'pushes go nowhere else'),
    '    pull:',
    '      - upstream: primary',
    '      - upstream: fallback',
    note(
      `        prefix: ${yamlScalar(plan.fallback.prefix)}`,
      `${plan.hostname}/${plan.prefix}app is ${plan.fallback.prefix}app there`,
    ),
    note('        replicate: true', 'what is pushed to the primary is copied there'),
  ];
  return `${lines.join('\n')}\n`;
}

function certificateLines({ certificate }: SitePlan): string[] {
  if (certificate.from !== 'acme')
    return [
      note('tls:', 'a changed file is loaded without a restart'),
      `  certFile: ${FILES.cert}`,
      `  keyFile: ${FILES.certKey}`,
    ];
  const { directory, email, ca } = certificate;
  return [
    'tls:',
    note('  acme:', 'the edge orders its certificate, and renews it'),
    note('    agreeToTerms: true', 'to the terms of service of the ACME server'),
    ...(directory === undefined ? [] : [`    directory: ${yamlScalar(directory)}`]),
    ...(ca === undefined ? [] : [`    caFile: ${FILES.acmeCa}`]),
    ...(email === undefined ? [] : [`    email: ${yamlScalar(email)}`]),
    note('    dir: acme', 'account and certificate; keep it'),
  ];
}

function authLines({ auth, realmHosts, user }: SitePlan): string[] {
  if (auth === 'delegate')
    return [
      'auth:',
      note('  mode: delegate', 'the primary says who may pull; in its outage, what it said last counts'),
      ...listLines('  realmHosts:', realmHosts, 'where its token service is; passwords go there'),
    ];
  if (auth === 'open') return ['auth:', note('  mode: open', 'the edge asks for no login')];
  return [
    'auth:',
    note('  mode: htpasswd', 'the edge has users of its own'),
    note(`  htpasswdFile: ${FILES.users}`, 'more users: breakwater user add NAME'),
    '  access:',
    ...(user ? [note(`    ${yamlScalar(user.username)}: ["** pull,push"]`, 'everything but deletions')] : []),
    note('    "*": ["** pull"]', 'every user'),
  ];
}

function primaryLines(plan: SitePlan): string[] {
  const { url, kind, ca, account, canary } = plan.primary;
  const isForwarding = plan.auth !== 'htpasswd' && account !== undefined;
  const own = isForwarding
    ? [note('    credentials: forward', 'clients log in as users of this registry')]
    : credentialLines('    ', account, FILES.primarySecret);
  return [
    '  primary:',
    `    urls: [${JSON.stringify(url)}]`,
    ...(ca === undefined ? [] : [`    caFile: ${FILES.primaryCa}`]),
    ...own,
    // In mode delegate the authority has those of its users already.
    ...(plan.auth === 'delegate' ? [] : listLines('    realmHosts:', plan.realmHosts, 'where its token service is')),
    '    probe:',
    ...(kind === 'harbor' ? ['      kind: harbor'] : []),
    note(`      canary: ${yamlScalar(canary)}`, 'every probe reads this image, to see whether storage answers'),
    ...(isForwarding ? credentialLines('      ', account, FILES.primarySecret) : []),
    ...(isForwarding
      ? [
          note('    replication:', 'for copies, which no client asks for'),
          ...credentialLines('      ', account, FILES.primarySecret),
        ]
      : []),
  ];
}

function fallbackLines(plan: SitePlan): string[] {
  const { url, ca, account, kind, realmHosts } = plan.fallback;
  return [
    '  fallback:',
    `    urls: [${JSON.stringify(url)}]`,
    ...(ca === undefined ? [] : [`    caFile: ${FILES.fallbackCa}`]),
    ...credentialLines('    ', account, FILES.fallbackSecret),
    ...listLines('    realmHosts:', realmHosts, 'where its token service is'),
    '    probe:',
    ...(kind === 'harbor' ? ['      kind: harbor'] : []),
    `      canary: ${yamlScalar(fallbackCanary(plan))}`,
  ];
}

function credentialLines(indent: string, account: RegistryLogin | undefined, file: string): string[] {
  if (account === undefined) return [];
  if ('helper' in account)
    return [
      note(`${indent}credentials: { helper: ${yamlScalar(account.helper)} }`, 'a docker-credential-NAME of PATH'),
    ];
  if ('metadata' in account)
    return [note(`${indent}credentials: { metadata: gcp }`, 'the access token of this machine or pod')];
  return [
    `${indent}credentials:`,
    `${indent}  username: ${yamlScalar(account.username)}`,
    `${indent}  passwordFile: ${file}`,
  ];
}

function listLines(key: string, values: readonly string[], comment: string): string[] {
  return values.length === 0 ? [] : [note(`${key} ${JSON.stringify(values)}`, comment)];
}

function note(line: string, comment: string): string {
  return `${line.padEnd(COMMENT_COLUMN)} # ${comment}`;
}
