import { randomBytes } from 'node:crypto';
import { hashPassword } from '../../auth/passwords.ts';
import { type KeyedCertificate, makeAuthority, makeLeaf } from '../../certificates/certificate-maker.ts';
import { CertificateError, certificateBlocks } from '../../certificates/certificate-text.ts';
import { validFor } from '../cert/days.ts';
import { UsageError } from '../config-path.ts';
import { configurationText } from './configuration-text.ts';
import type { KeptFiles } from './present-site.ts';
import { type Account, FILES, needsAdminToken, type SitePlan, staticAccount } from './site-plan.ts';
import type { StagedFile } from './staged-directory.ts';

const CA_DAYS = 3650;
/** A new CA would be one that no client trusts. */
const NO_CA_KEY = `--certificate ca: ${FILES.ca} is there without its key. Put the key back as ${FILES.caKey} for this command; for a new CA, which every client must then trust, remove ${FILES.ca}`;
/** Browsers of Apple refuse certificates that last longer than 398 days. */
const LEAF_DAYS = 397;

/**
 * All files of a site, the configuration last.
 * @param now epoch milliseconds
 * @throws UsageError for a password or a CA that cannot be used
 */
export async function siteFiles(plan: SitePlan, kept: KeptFiles, now: number): Promise<StagedFile[]> {
  const { primary, fallback, user } = plan;
  const secret = (name: string, content: string | undefined): StagedFile[] =>
    content === undefined ? [] : [{ name, content: `${content}\n`, isSecret: true }];
  const open = (name: string, content: string | undefined): StagedFile[] =>
    content === undefined ? [] : [{ name, content: withLineEnd(content), isSecret: false }];
  return [
    { name: FILES.key, content: kept.key ?? `${randomBytes(48).toString('base64')}\n`, isSecret: true },
    ...(await certificateFiles(plan, kept, now)),
    ...secret(FILES.primarySecret, primary.account?.password),
    ...secret(FILES.fallbackSecret, staticAccount(fallback.account)?.password),
    ...open(FILES.primaryCa, primary.ca),
    ...open(FILES.fallbackCa, fallback.ca),
    ...(user ? [{ name: FILES.users, content: await usersFile(user, kept.users), isSecret: true }] : []),
    ...(needsAdminToken(plan)
      ? [
          {
            name: FILES.adminToken,
            content: kept.adminToken ?? `${randomBytes(24).toString('base64url')}\n`,
            isSecret: true,
          },
        ]
      : []),
    ...open(FILES.config, configurationText(plan)),
  ];
}

async function certificateFiles(
  { certificate, hostname }: SitePlan,
  kept: KeptFiles,
  now: number,
): Promise<StagedFile[]> {
  if (certificate.from === 'later') return [];
  if (certificate.from === 'acme')
    return certificate.ca === undefined
      ? []
      : [{ name: FILES.acmeCa, content: withLineEnd(certificate.ca), isSecret: false }];
  const { cert, key, ca } =
    certificate.from === 'files' ? { ...certificate, ca: undefined } : await makeCertificates(hostname, kept, now);
  return [
    ...(ca
      ? [
          { name: FILES.ca, content: ca.cert, isSecret: false },
          { name: FILES.caKey, content: ca.key, isSecret: true, isPrivate: true },
        ]
      : []),
    { name: FILES.cert, content: withLineEnd(cert), isSecret: false },
    { name: FILES.certKey, content: withLineEnd(key), isSecret: true },
  ];
}

async function makeCertificates(hostname: string, kept: KeptFiles, now: number) {
  if (kept.ca && kept.ca.key === undefined) throw new UsageError(NO_CA_KEY);
  try {
    const name = `Breakwater CA of ${hostname}`;
    const ca = keyed(kept.ca) ?? (await makeAuthority({ name, ...validFor(CA_DAYS, now) }));
    const leaf = await makeLeaf({ names: [hostname], authority: ca, ...validFor(LEAF_DAYS, now) });
    return { ...leaf, ca };
  } catch (error) {
    if (error instanceof CertificateError) throw new UsageError(`--certificate ca: ${error.message}`);
    throw error;
  }
}

function keyed(ca: KeptFiles['ca']): KeyedCertificate | undefined {
  if (ca?.key === undefined) return undefined;
  // Everybody may read the file, so that a key beside the certificate goes.
  return {
    cert: certificateBlocks(ca.cert)
      .map((block) => `${block}\n`)
      .join(''),
    key: ca.key,
  };
}

/** The users' file with this user in it, and the others as they were, byte for byte. */
async function usersFile({ username, password }: Account, before?: Buffer): Promise<Buffer> {
  const hash = await hashPassword(password).catch((error: Error) => {
    throw new UsageError(`--login-password-file: ${error.message}`);
  });
  const lines = (before?.toString('latin1') ?? '').split('\n');
  const others = lines.filter((line) => line !== '' && !line.trim().startsWith(`${username}:`));
  return Buffer.from([...others, `${username}:${hash}\n`].join('\n'), 'latin1');
}

function withLineEnd(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
