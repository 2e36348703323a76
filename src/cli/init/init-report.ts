import { dirname, join } from 'node:path';
import { type CanaryReport, canaryText } from '../canary/canary-text.ts';
import { findingsText } from '../check/check.ts';
import type { CheckFinding } from '../check/reachability.ts';
import { composeScalar, shellWord } from './quoted-name.ts';
import { FILES, type SitePlan, staticAccount } from './site-plan.ts';

const REALM_HINT = 'For a token service on another host, add --realm-host HOST or --fallback-realm-host HOST.';

/** What became of a run of `breakwater init`. */
export interface InitReport {
  directory: string;
  written: boolean;
  files: readonly string[];
  canaries: readonly CanaryReport[];
  findings: readonly CheckFinding[];
  /** Whether the registries were asked. */
  tried: boolean;
  /** Whether every canary is there, and the check has no error. */
  good: boolean;
  certificate: SitePlan['certificate']['from'];
}

/** The report for a terminal. */
export function initText(report: InitReport, plan: SitePlan): string {
  return trialText(report) + (report.written ? writtenText(report, plan) : refusedText(report));
}

/** What the registries said. */
export function trialText({ canaries, findings }: Pick<InitReport, 'canaries' | 'findings'>): string {
  const parts = [
    canaries.length > 0 ? canaryText(canaries) : '',
    findings.length > 0 ? findingsText([...findings]) : '',
  ];
  return parts.join('');
}

function refusedText(report: InitReport): string {
  const { directory } = report;
  return [
    ...(/realmHosts/.test(trialText(report)) ? [REALM_HINT] : []),
    `Nothing was written to ${directory}. Mend this, and repeat the command;`,
    'or add --offline, which writes the directory and asks no registry.',
    '',
  ].join('\n');
}

function writtenText(report: InitReport, plan: SitePlan): string {
  const { directory, files, certificate } = report;
  const note = plan.fallback.note;
  return [
    `${directory} is written: ${files.join(', ')}`,
    ...(note === undefined ? [] : [`Note: ${note}`]),
    ...(certificate === 'ca'
      ? [
          `Clients must trust ${join(directory, FILES.ca)}.`,
          `Keep ${join(directory, FILES.caKey)} elsewhere: whoever has it can pretend to be the edge. The certificate is renewed with it:`,
          `  breakwater cert leaf --renew --ca ${shellWord(dirname(join(directory, FILES.ca)))} --output ${shellWord(directory)}`,
        ]
      : []),
    ...spellings(plan),
    'Next:',
    ...nextCommands(report).map((line) => `  ${line}`),
    '',
  ].join('\n');
}

/** How a name with a dollar is written elsewhere. */
function spellings({ primary, fallback, user }: SitePlan): string[] {
  const accounts = [primary.account, staticAccount(fallback.account), user].flatMap(
    (account) => account?.username ?? [],
  );
  const names = new Set(accounts.filter((name) => name.includes('$')));
  return [...names].map(
    (name) => `${name} is ${shellWord(name)} in a shell, and ${composeScalar(name)} in a Compose file.`,
  );
}

/** What is left to do, as commands. */
export function nextCommands({
  directory,
  good,
  certificate,
}: Pick<InitReport, 'directory' | 'good' | 'certificate'>): string[] {
  const config = `-c ${shellWord(join(directory, FILES.config))}`;
  const left = good ? [] : [`breakwater canary push ${config}`, `breakwater check ${config}`];
  const put = `# first put ${FILES.cert} (with its chain) and ${FILES.certKey} into ${directory}`;
  return [...(certificate === 'later' ? [put] : []), ...left, `breakwater serve ${config}`];
}
