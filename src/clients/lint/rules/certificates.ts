import { X509Certificate } from 'node:crypto';
import { quoted } from '../registry-name.ts';
import type { LintContext, ParsedFile, Rule } from '../rule.ts';
import { containersImage, go, moby28 } from './sources.ts';

const LOAD = 'registry/registry.go, loadTLSConfig';
const SETUP = 'pkg/tlsclientconfig/tlsclientconfig.go, SetupCertificates';
const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';
const COMMON: Pick<Rule, 'program' | 'alsoIn' | 'kinds'> = {
  program: 'docker',
  alsoIn: ['podman', 'skopeo', 'CRI-O'],
  kinds: ['certificates'],
};

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function siblings(file: ParsedFile, context: LintContext): string[] {
  return foldersOf(context).get(folderOf(file.path)) ?? [];
}

const folders = new WeakMap<LintContext, Map<string, string[]>>();

/** Names of files by their folder, put together once. */
function foldersOf(context: LintContext): Map<string, string[]> {
  const known = folders.get(context);
  if (known) return known;
  const byFolder = Map.groupBy(context.files, ({ path }) => folderOf(path));
  const names = new Map([...byFolder].map(([folder, files]) => [folder, files.map(({ path }) => nameOf(path))]));
  folders.set(context, names);
  return names;
}

/** Whether docker or containers read the folder by the names of its files, and not containerd by a hosts.toml. */
function isReadByName(file: ParsedFile, context: LintContext): boolean {
  return !siblings(file, context).includes('hosts.toml');
}

/** certs.d of docker and of podman, CRI-O, skopeo and buildah: the names of the files say what they are. */
export const CERTIFICATE_RULES: Rule[] = [
  {
    ...COMMON,
    name: 'certs-cert-without-key',
    effect: 'broken',
    key: '*.cert',
    happens:
      'A file that ends in .cert is a certificate of a client, and its key is missing. Every pull from this registry fails.',
    remedy:
      'If it is a CA, rename it so that it ends in .crt. Otherwise put the key beside it, with the same name and .key.',
    source: moby28(LOAD),
    find: (file, context) => {
      const name = nameOf(file.path);
      const key = name.replace(/\.cert$/, '.key');
      const alone = name.endsWith('.cert') && !siblings(file, context).includes(key);
      return alone && isReadByName(file, context) ? [{ line: 1, subject: `file ${quoted(name)}` }] : [];
    },
  },
  {
    ...COMMON,
    name: 'certs-key-without-cert',
    effect: 'broken',
    key: '*.key',
    happens: 'This key has no certificate of a client with the same name. Every pull from this registry fails.',
    remedy: 'Put the certificate beside it, with the same name and .cert, or remove the key.',
    source: containersImage(SETUP),
    find: (file, context) => {
      const name = nameOf(file.path);
      const cert = name.replace(/\.key$/, '.cert');
      const alone = name.endsWith('.key') && !siblings(file, context).includes(cert);
      return alone && isReadByName(file, context) ? [{ line: 1, subject: `file ${quoted(name)}` }] : [];
    },
  },
  {
    ...COMMON,
    name: 'certs-ca-name',
    effect: 'ca',
    key: '*.pem',
    happens:
      'A CA is read only if its name ends in .crt. This file is ignored, and pulls fail with an unknown authority.',
    remedy: 'Rename the file to ca.crt.',
    source: containersImage(SETUP),
    find: (file, context) => {
      const name = nameOf(file.path);
      const isOther = /\.(pem|cer|der|ca)$|^[^.]+$/.test(name);
      const hasCa = siblings(file, context).some((other) => other.endsWith('.crt'));
      return isOther && !hasCa && isReadByName(file, context) ? [{ line: 1, subject: `file ${quoted(name)}` }] : [];
    },
  },
  {
    ...COMMON,
    name: 'certs-ca-not-pem',
    effect: 'ca',
    key: '*.crt',
    happens:
      'The file has no certificate in PEM. It is ignored without a word, and pulls fail with an unknown authority.',
    remedy: 'Convert it: openssl x509 -inform der -in FILE -out ca.crt.',
    source: moby28(LOAD),
    find: (file, context) => {
      const isPem = file.text.includes(BEGIN);
      return nameOf(file.path).endsWith('.crt') && !isPem && isReadByName(file, context) ? [{ line: 1 }] : [];
    },
  },
  {
    ...COMMON,
    name: 'certs-ca-expired',
    effect: 'ca',
    key: '*.crt',
    happens: 'A certificate in this file has expired. A CA that has expired vouches for nothing, so that pulls fail.',
    remedy: 'Put the new CA into the file, and remove the old one.',
    source: go('src/crypto/x509/verify.go, isValid'),
    find: (file, { now }) => {
      if (!nameOf(file.path).endsWith('.crt')) return [];
      return certificatesOf(file.text)
        .filter(({ ends }) => ends < now)
        .map(({ line }) => ({ line }));
    },
  },
  {
    ...COMMON,
    name: 'certs-port-443',
    effect: 'ca',
    key: 'folder',
    happens: 'The folder is used only for names of images that have :443 in them. For all others the CA is ignored.',
    remedy: 'Rename the folder to the name without :443.',
    source: containersImage('docs/containers-certs.d.5.md'),
    find: (file, context) => {
      const folder = folderOf(file.path);
      if (!folder.endsWith(':443')) return [];
      const isFirst = siblings(file, context)[0] === nameOf(file.path);
      const hasOther = foldersOf(context).has(folder.replace(/:443$/, ''));
      return isFirst && !hasOther ? [{ line: 1, subject: `folder ${quoted(nameOf(folder))}` }] : [];
    },
  },
];

/** The last moment of each certificate in PEM, and where it begins. What is no certificate is left out. */
function certificatesOf(text: string): { line: number; ends: number }[] {
  const [before = '', ...parts] = text.split(BEGIN);
  let line = before.split('\n').length;
  return parts.flatMap((part) => {
    const begins = line;
    line += part.split('\n').length - 1;
    const end = part.indexOf(END);
    try {
      const { validTo } = new X509Certificate(`${BEGIN}${part.slice(0, Math.max(0, end))}${END}`);
      return [{ line: begins, ends: Date.parse(validTo) }];
    } catch {
      return [];
    }
  });
}
