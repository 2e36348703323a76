import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { readText, reasonOf } from '../../../src/cli/client/lint-read.ts';
import { givenVersions, installedVersions } from '../../../src/cli/client/lint-versions.ts';
import { walkTree } from '../../../src/cli/client/lint-walk.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';

/** A folder with these files. */
function treeOf(owner: Owner, files: Record<string, string | Buffer>): string {
  const root = temporaryFolder(owner);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

async function walked(root: string) {
  const { sources, findings } = await walkTree(root);
  const short = (path: string) => path.replace(root, '');
  return {
    files: sources.map(({ path, kind }) => `${kind} ${short(path)}`).sort(),
    findings: findings.map(({ rule, file, happens }) => `${rule} ${short(file)} ${happens}`).sort(),
  };
}

t.test('files of clients are found below a system, and others are left alone', async (t) => {
  const root = treeOf(t, {
    'etc/docker/daemon.json': '{}',
    'etc/docker/certs.d/cr.example.io/ca.crt': '',
    'etc/hostname': 'node',
    'etc/other.json': '{"kind": "x"}',
    'usr/share/containers/registries.conf.d/a.conf': '',
    'usr/share/doc/docker/daemon.json': '{',
    'proc/1/root/etc/docker/daemon.json': '{',
    'home/bob/.docker/config.json': '{}',
    'home/bob/pod.yaml': 'apiVersion: v1\nkind: Pod\nimage: x\n',
    'etc/kubernetes/pod.yaml': 'apiVersion: v1\nkind: Pod\nimage: x\n',
    'srv/node_modules/x/.docker/config.json': '{',
  });
  t.strictSame(await walked(root), {
    files: [
      'certificates /etc/docker/certs.d/cr.example.io/ca.crt',
      'docker-auth /home/bob/.docker/config.json',
      'docker-daemon /etc/docker/daemon.json',
      'kubernetes /etc/kubernetes/pod.yaml',
      'registries-conf /usr/share/containers/registries.conf.d/a.conf',
    ],
    findings: [],
  });
  const paths = (await walkTree(root)).sources.map(({ path }) => path);
  t.strictSame(paths, paths.toSorted(), 'in the order of their names');
  const { files } = await walked(join(root, 'home'));
  t.strictSame(files, ['docker-auth /bob/.docker/config.json', 'kubernetes /bob/pod.yaml'], 'no system: all are read');
});

t.test('links: inside, in circles, to nowhere, and out of the folder', async (t) => {
  const outside = treeOf(t, { 'daemon.json': '{}', 'certs.d/x/hosts.toml': '' });
  const root = treeOf(t, {
    'etc/real/daemon.json': '{}',
    'etc/mirrors/hub/hosts.toml': 'server = "x"\n',
    'etc/containerd/certs.d/README': '',
    'etc/docker/README': '',
    'etc/containers/README': '',
  });
  symlinkSync('/etc/real/daemon.json', join(root, 'etc/docker/daemon.json'));
  symlinkSync('../../mirrors/hub', join(root, 'etc/containerd/certs.d/docker.io'));
  symlinkSync('..', join(root, 'etc/containerd/certs.d/loop'));
  symlinkSync('.', join(root, 'etc/self'));
  symlinkSync('auth.json', join(root, 'etc/containers/auth.json'));
  symlinkSync('/gone', join(root, 'etc/containers/policy.json'));
  symlinkSync(join(outside, 'daemon.json'), join(root, 'etc/containers/registries.conf'));
  symlinkSync(outside, join(root, 'etc/outside'));
  const nowhere = 'The file was not looked at: it is a link that leads nowhere, or out of the folder.';
  t.strictSame(await walked(root), {
    files: [
      'containerd-hosts /etc/containerd/certs.d/docker.io/hosts.toml',
      'containerd-hosts /etc/mirrors/hub/hosts.toml',
      'docker-daemon /etc/docker/daemon.json',
    ],
    findings: ['auth.json', 'policy.json', 'registries.conf'].map(
      (name) => `file-unreadable /etc/containers/${name} ${nowhere}`,
    ),
  });
});

t.test('files that cannot be read: too large, no text, no file', async (t) => {
  const root = treeOf(t, {
    'docker/daemon.json': Buffer.alloc(10_485_760, 0x20),
    'containers/policy.json': Buffer.from([0xff, 0xfe, 0x7b, 0x00]),
    'containers/auth.json': 'a\0b',
    'containerd/config.toml/x': '',
    'big.yaml': Buffer.alloc(2_000_000, 0x20),
  });
  spawnSync('mkfifo', [join(root, 'containers/registries.conf')]);
  t.strictSame((await walked(root)).findings, [
    'file-binary /containers/auth.json The file is no text in UTF-8. The program cannot read it.',
    'file-binary /containers/policy.json The file is no text in UTF-8. The program cannot read it.',
    'file-too-large /docker/daemon.json The file is larger than 1 MiB, and was not looked at.',
    'file-unreadable /containers/registries.conf The file was not looked at: it is no regular file.',
  ]);
  t.match(await readText(join(root, 'containers/registries.conf'), 'registries-conf'), {
    finding: { happens: /no regular file/ },
  });
  t.match(await readText(join(root, 'gone'), 'policy'), { finding: { happens: /it is not there/ } });
  t.equal(reasonOf(Object.assign(new Error(), { code: 'EACCES' })), 'this user may not read it');
  t.equal(reasonOf(Object.assign(new Error(), { code: 'EIO' })), 'it cannot be read (EIO)');
  t.equal(reasonOf('odd'), 'it cannot be read');
});

t.test('a tree that is too large is a finding, and its end', async (t) => {
  const files = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`docker/certs.d/h${index}/ca.crt`, '']));
  const root = treeOf(t, files);
  for (const limits of [
    { entries: 20, files: 1000, bytes: 1000 },
    { entries: 1000, files: 10, bytes: 1000 },
  ]) {
    const { sources, findings } = await walkTree(root, limits);
    t.ok(sources.length <= 11);
    t.match(findings, [{ rule: 'tree-not-whole', remedy: /Name a smaller folder/ }]);
  }
});

t.test('whether a file is there: in the tree, in the system of the tree, and elsewhere', async (t) => {
  const root = treeOf(t, { 'etc/ca.crt': 'x' });
  const { exists } = await walkTree(root);
  t.equal(exists('/etc/ca.crt'), true);
  t.equal(exists('/etc/gone.crt'), false);
  t.equal(exists(join(root, 'etc/ca.crt')), true);
  t.equal(exists(join(root, 'etc/ca.crt/x')), false);
  const part = await walkTree(join(root, 'etc'));
  t.equal(part.exists('/etc/ca.crt'), undefined, 'the copy of /etc alone does not tell where it was');
});

t.test('versions: of packages, and of the command line', async (t) => {
  const status = [
    'Package: docker.io\nStatus: install ok installed\nVersion: 20.10.24+dfsg1-1+b3',
    'Package: podman\nStatus: deinstall ok config-files\nVersion: 4.3.1',
    'Package: containerd\nStatus: install ok installed\nVersion: 1.6.20~ds1-1+deb12u3',
    'Package: containerd.io\nStatus: install ok installed\nVersion: 1.7.1-1',
    'Package: kubelet\nStatus: install ok installed\nVersion: none',
  ].join('\n\n');
  const root = treeOf(t, {
    'var/lib/dpkg/status': status,
    'lib/apk/db/installed': 'P:buildkit\nV:0.34.2-r1\n\nP:constructor\nV:1\n',
  });
  t.strictSame(
    await installedVersions(root),
    { docker: '20.10.24+dfsg1-1+b3', buildkit: '0.34.2-r1' },
    'two packages with containerd: it is not known which one runs',
  );
  t.strictSame(await installedVersions(join(root, 'gone')), {});
  t.strictSame(givenVersions(['docker=28.5.2', 'cri-o=1.35']), { docker: '28.5.2', 'cri-o': '1.35' });
  t.throws(() => givenVersions(['dokcer=1']), { message: /Programs are docker, containerd,.* Did you mean docker\?/ });
  t.throws(() => givenVersions(['docker=new']), { message: /expected a version such as docker=2\.1\.4/ });
  t.throws(() => givenVersions(['docker']), { message: /expected a version/ });
});
