import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { PROGRAMS, type Program, type Versions, versionNumbers } from '../../clients/lint/program-version.ts';
import { nearest } from '../../config/nearest.ts';
import { UsageError } from '../config-path.ts';

/** Databases of packages are larger than files of people. */
const MAX_BYTES = 32 * 1_048_576;

/** Which package has which program. */
const PACKAGES: Record<string, Program> = {
  'docker-ce': 'docker',
  'docker.io': 'docker',
  'moby-engine': 'docker',
  docker: 'docker',
  'containerd.io': 'containerd',
  containerd: 'containerd',
  'moby-containerd': 'containerd',
  podman: 'podman',
  'cri-o': 'cri-o',
  buildkit: 'buildkit',
  'gitlab-runner': 'gitlab-runner',
  kubelet: 'kubernetes',
};

/** `PROGRAM=VERSION` of the command line. @throws UsageError */
export function givenVersions(texts: readonly string[]): Versions {
  const versions: Versions = {};
  for (const text of texts) {
    const [name = '', version = ''] = text.split('=', 2);
    const program = PROGRAMS.find((one) => one === name);
    if (!program) {
      const similar = nearest(name, [...PROGRAMS]);
      throw new UsageError(
        `--client-version ${JSON.stringify(text)}: with --lint, expected PROGRAM=VERSION. Programs are ${PROGRAMS.join(', ')}.${similar === undefined ? '' : ` Did you mean ${similar}?`}`,
      );
    }
    if (!versionNumbers(version))
      throw new UsageError(`--client-version ${JSON.stringify(text)}: expected a version such as ${program}=2.1.4`);
    versions[program] = version;
  }
  return versions;
}

/** Versions of installed packages, by the databases of Debian and Alpine. A program that two packages have is left out. */
export async function installedVersions(root: string): Promise<Versions> {
  const debian = parseDebian((await readDatabase(join(root, 'var/lib/dpkg/status'))) ?? '');
  const alpine = parseAlpine((await readDatabase(join(root, 'lib/apk/db/installed'))) ?? '');
  const versions: Versions = {};
  const twice = new Set<Program>();
  for (const [name, version] of [...debian, ...alpine]) {
    const program = Object.hasOwn(PACKAGES, name) ? PACKAGES[name] : undefined;
    if (!program || !versionNumbers(version)) continue;
    if (versions[program] !== undefined) twice.add(program);
    versions[program] = version;
  }
  for (const program of twice) delete versions[program];
  return versions;
}

async function readDatabase(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, 'r');
    const stat = await file.stat();
    return stat.isFile() && stat.size <= MAX_BYTES ? await file.readFile('utf8') : undefined;
  } catch {
    return undefined;
  }
}

function parseDebian(text: string): [string, string][] {
  return text.split(/\n\n+/).flatMap((entry): [string, string][] => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(entry)?.[1];
    const [name, version] = [field('Package'), field('Version')];
    return name && version && field('Status')?.endsWith(' installed') ? [[name, version]] : [];
  });
}

function parseAlpine(text: string): [string, string][] {
  return text.split(/\n\n+/).flatMap((entry): [string, string][] => {
    const [name, version] = [/^P:(.*)$/m.exec(entry)?.[1], /^V:(.*)$/m.exec(entry)?.[1]];
    return name && version ? [[name, version]] : [];
  });
}
