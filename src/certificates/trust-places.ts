import { createHash, type X509Certificate } from 'node:crypto';

/** Whose trust is meant: a system's, or that of a program which has a store of its own. */
export const TRUST_KINDS = ['debian', 'rhel', 'alpine', 'docker', 'containers', 'java'] as const;
export type TrustKind = (typeof TRUST_KINDS)[number];

/** Where CAs must be, and what makes them count. */
export interface TrustPlan {
  /** Absolute paths. */
  files: { path: string; content: string }[];
  /** Commands to run after the files were written. */
  commands: string[];
  note: string;
}

/** One file a certificate: update-ca-certificates and keytool read only the first one of a file. */
const SYSTEMS = {
  // update-ca-certificates(8) of Debian: files in this folder whose names end in .crt. https://manpages.debian.org/update-ca-certificates
  debian: { folder: '/usr/local/share/ca-certificates', command: 'update-ca-certificates' },
  // update-ca-trust(8) of p11-kit. https://docs.redhat.com, "Using shared system certificates"
  rhel: { folder: '/etc/pki/ca-trust/source/anchors', command: 'update-ca-trust extract' },
  // Package ca-certificates of Alpine. https://gitlab.alpinelinux.org/alpine/ca-certificates
  alpine: { folder: '/usr/local/share/ca-certificates', command: 'update-ca-certificates' },
} as const;

/** A folder for each registry, whose files ending in .crt are CAs. */
const PROGRAMS = {
  // https://docs.docker.com/engine/security/certificates/
  docker: { folder: '/etc/docker/certs.d', note: 'docker reads it at each pull, without a restart' },
  // containers-certs.d(5). https://github.com/containers/image/blob/main/docs/containers-certs.d.5.md
  containers: {
    folder: '/etc/containers/certs.d',
    note: 'podman, skopeo, buildah and CRI-O read it at each pull, without a restart',
  },
} as const;

/** @param host of the registry, with its port unless it is 443; only docker and containers need it */
export function trustPlan(kind: TrustKind, certificates: readonly X509Certificate[], host = ''): TrustPlan {
  const texts = certificates.map((one) => `${String(one).trimEnd()}\n`);
  const named = texts.map((content) => ({ name: `breakwater-${shortId(content)}`, content }));
  const singly = (folder: string) => named.map(({ name, content }) => ({ path: `${folder}/${name}.crt`, content }));
  if (kind === 'docker' || kind === 'containers') {
    const { folder, note } = PROGRAMS[kind];
    // Programs skip what stands before a certificate. By this line, `breakwater client` and `cert bundle` know the file as theirs.
    const header = `# Written by \`breakwater cert bundle\` for ${host}. The next run replaces this file.\n`;
    return { files: [{ path: `${folder}/${host}/ca.crt`, content: `${header}${texts.join('')}` }], commands: [], note };
  }
  if (kind === 'java') {
    const files = singly('/usr/local/share/breakwater');
    const commands = files.map(({ path }, index) => {
      const alias = named[index]?.name ?? 'breakwater';
      // -cacerts is the truststore of the JDK, whose password is public (keytool of JDK 9 and later).
      return `keytool -importcert -noprompt -cacerts -storepass changeit -alias ${alias} -file ${path}`;
    });
    return { files, commands, note: 'Java reads its truststore when a program starts: restart it' };
  }
  const { folder, command } = SYSTEMS[kind];
  const note = 'programs that run already, such as dockerd and containerd, read the system store once: restart them';
  return { files: singly(folder), commands: [command], note };
}

/** The kind of a system, from its os-release file; undefined: not known. */
export function systemKind(osRelease: string): 'debian' | 'rhel' | 'alpine' | undefined {
  const value = (key: string) => new RegExp(`^${key}="?([^"\\n]*)`, 'm').exec(osRelease)?.[1] ?? '';
  const ids = [value('ID'), ...value('ID_LIKE').split(' ')];
  if (ids.includes('alpine')) return 'alpine';
  if (ids.some((id) => ['debian', 'ubuntu'].includes(id))) return 'debian';
  return ids.some((id) => ['rhel', 'fedora', 'centos', 'rocky', 'almalinux'].includes(id)) ? 'rhel' : undefined;
}

/** The same for the same certificate, so that a second run changes nothing. */
function shortId(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
