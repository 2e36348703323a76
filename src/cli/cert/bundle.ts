import type { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { isSelfSigned } from '../../certificates/certificate-facts.ts';
import { dayOf, readCertificates, titleOf } from '../../certificates/certificate-text.ts';
import { systemKind, TRUST_KINDS, type TrustKind, trustPlan } from '../../certificates/trust-places.ts';
import { UsageError } from '../config-path.ts';
import { writeNewFiles } from '../new-file.ts';
import { isOwnFile } from '../own-file.ts';
import { authorityFile, explained, readText } from './certificate-files.ts';

export interface BundleOptions {
  ca: string;
  for?: TrustKind[] | undefined;
  host?: string;
  root: string;
  force?: boolean;
}

export function registerBundle(cert: Command): void {
  cert
    .command('bundle')
    .description(
      'Write a CA where programs of this machine look for CAs, and say which command makes it count. During the replacement of a CA, give trust.crt, which holds both.',
    )
    .option('--ca <place>', 'file or folder of the CA', 'ca')
    .option(
      '--for <kind>',
      `whose trust: ${TRUST_KINDS.join(', ')}; may be repeated (default: this system)`,
      (text: string, before: TrustKind[] = []) => [...before, kindOf(text)],
    )
    .option('--host <host>', 'for docker and containers: the registry as images name it, such as cr.example.io:8443')
    .option('--root <folder>', 'write below this folder, such as the root of an image', '/')
    .option('--force', 'replace files that something else wrote')
    .action(async (options: BundleOptions) => {
      process.stdout.write(await writeBundle(options, Date.now()));
    });
}

function kindOf(text: string): TrustKind {
  const kind = TRUST_KINDS.find((one) => one === text);
  if (!kind) throw new InvalidArgumentError(`expected one of ${TRUST_KINDS.join(', ')}`);
  return kind;
}

/** @param now epoch milliseconds @returns what was written, and what is to be done */
export async function writeBundle(
  { ca, for: kinds, host, root, force = false }: BundleOptions,
  now: number,
): Promise<string> {
  const { certificates, left } = await trustable(await authorityFile(ca), now);
  const chosen = kinds ?? [await ownKind(root)];
  if (chosen.some((kind) => kind === 'docker' || kind === 'containers') && !/^\w[\w.-]*(:\d{1,5})?$/.test(host ?? ''))
    throw new UsageError(
      'docker and containers keep a CA for each registry: name it as images do, with --host cr.example.io',
    );
  const plans = chosen.map((kind) => trustPlan(kind, certificates, host?.replace(/:443$/, '')));
  const wanted = plans.flatMap(({ files }) =>
    files.map((file) => ({ ...file, path: join(root, file.path), mode: 0o644 })),
  );
  const states = await Promise.all(wanted.map(async (file) => ({ file, ...(await stateOf(file)) })));
  const missing = states.filter(({ same }) => !same);
  // First those that may be refused, so that then nothing is written.
  for (const own of [false, true])
    await writeNewFiles(
      missing.filter((one) => one.own === own).map(({ file }) => file),
      { force: force || own, folderMode: 0o755 },
    );
  const others = await otherFiles(wanted.map(({ path }) => path));
  return [
    ...left,
    ...states.map(({ file, same }) => `${same ? 'is there already' : 'wrote'}: ${file.path}`),
    ...others.map((path) => `from an earlier CA: ${path}; remove it when no edge needs it`),
    ...plans
      .flatMap(({ commands }) => commands)
      .map((line) => `now run: ${root === '/' ? line : `chroot ${root} ${line}`}`),
    ...new Set(plans.map(({ note }) => `note: ${note}`)),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** The certificates that may be trusted, without keys that are in the file; and words about those left out. */
async function trustable(file: string, now: number): Promise<{ certificates: X509Certificate[]; left: string[] }> {
  const text = await readText(file);
  const all = await explained(file, () => readCertificates(text, 'it'));
  const server = all.find((one) => !one.ca && !isSelfSigned(one));
  if (server)
    throw new UsageError(
      `${file}: ${titleOf(server)} is the certificate of a server. Clients must trust the CA that signed it: ca.crt`,
    );
  const isOver = (one: X509Certificate) => one.validToDate.getTime() <= now;
  if (all.every(isOver))
    throw new UsageError(
      `${file}: the CA expired on ${dayOf(all[0]?.validToDate ?? new Date(now))}, so nothing was written. Make a new one: breakwater cert ca`,
    );
  const left = all.filter(isOver).map((one) => `left out, as it expired on ${dayOf(one.validToDate)}: ${titleOf(one)}`);
  return { certificates: all.filter((one) => !isOver(one)), left };
}

async function ownKind(root: string): Promise<TrustKind> {
  const text = await readFile(join(root, 'etc/os-release'), 'utf8').catch(() => '');
  const kind = systemKind(text);
  if (!kind) throw new UsageError(`which system this is cannot be told from etc/os-release: name it with --for`);
  return kind;
}

/** Whether a file is as it should be, and whether a command of Breakwater wrote what is there. */
async function stateOf({ path, content }: { path: string; content: string }): Promise<{ same: boolean; own: boolean }> {
  const present = await readFile(path, 'utf8').catch(() => undefined);
  return { same: present === content, own: present !== undefined && isOwnFile(present) };
}

/** Files that an earlier run has left beside these. */
async function otherFiles(paths: readonly string[]): Promise<string[]> {
  const folders = new Set(
    paths.filter((path) => /\/breakwater-[0-9a-f]{12}\.crt$/.test(path)).map((path) => dirname(path)),
  );
  const found = await Promise.all(
    [...folders].map(async (folder) =>
      (await readdir(folder))
        .filter((name) => /^breakwater-[0-9a-f]{12}\.crt$/.test(name))
        .map((name) => join(folder, name)),
    ),
  );
  return found.flat().filter((path) => !paths.includes(path));
}
