import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { trustPlan } from '../../../src/certificates/trust-places.ts';
import type { ClientSite } from '../../../src/clients/client-site.ts';
import { KINDS } from '../../../src/clients/kinds.ts';
import { installScript } from '../../../src/clients/script/install-script.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { siteOf, tomlOf } from '../client-sites.ts';

/** A node below a folder, and the script of one kind for it. */
class Node {
  readonly root: string;
  readonly #script: string;

  constructor(owner: Owner) {
    this.root = temporaryFolder(owner);
    this.#script = join(temporaryFolder(owner), 'install.sh');
  }

  /** Another script in place of the last one. */
  give(kind: string, more: Partial<ClientSite> = {}, version?: string): this {
    const generated = KINDS[kind]?.generate({ site: siteOf(more), version });
    if (!generated) throw new Error(kind);
    writeFileSync(this.#script, installScript(generated, { kind, host: 'cr.example.io', version }));
    return this;
  }

  /** Without the programs of this machine, so that a test means the same everywhere. */
  run(...words: string[]): { status: number | null; said: string } {
    const env = { PATH: '/usr/bin:/bin', BREAKWATER_ROOT: this.root, TMPDIR: dirname(this.#script) };
    const { status, stderr } = spawnSync('sh', [this.#script, ...words], { env });
    return { status, said: String(stderr) };
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.root, path)), { recursive: true });
    writeFileSync(join(this.root, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  files(): string[] {
    const all = readdirSync(this.root, { recursive: true, encoding: 'utf8' });
    return all.filter((name) => statSync(join(this.root, name)).isFile()).sort();
  }
}

const CA_FILE = 'etc/docker/certs.d/cr.example.io/ca.crt';
const DAEMON = 'etc/docker/daemon.json';
const CONFIG = 'etc/containerd/config.toml';
const HUB = [{ registry: 'docker.io', prefix: '' }];

t.test('installs, changes nothing again, and takes it back', async (t) => {
  const node = new Node(t).give('docker', { mirrors: HUB });
  t.strictSame(node.run().status, 0);
  t.strictSame(node.files(), [CA_FILE, DAEMON, 'var/lib/breakwater-client/docker']);
  t.equal(statSync(join(node.root, CA_FILE)).mode & 0o777, 0o644);
  t.strictSame(node.run(), { status: 0, said: '' });
  t.equal(node.run('uninstall').status, 0);
  t.strictSame(node.files(), []);
  t.match(node.run('uninstall'), { status: 0, said: /nothing is installed/ });
  t.match(node.run('--frce'), { status: 2, said: /usage: sh/ });
});

t.test('a shared file in JSON keeps what others wrote, also after uninstall', async (t) => {
  const node = new Node(t).give('docker', { mirrors: HUB });
  node.write(DAEMON, '{"debug": true, "registry-mirrors": ["https://old.lan"]}');
  t.equal(node.run().status, 0);
  t.strictSame(JSON.parse(node.read(DAEMON)), {
    debug: true,
    'registry-mirrors': ['https://cr.example.io', 'https://old.lan'],
  });
  t.strictSame(node.run(), { status: 0, said: '' });
  t.equal(node.run('uninstall').status, 0);
  t.equal(node.read(DAEMON), '{"debug": true, "registry-mirrors": ["https://old.lan"]}');
  for (const text of ['{"registry-mirrors": "https://old.lan"}', '{"debug": ']) {
    node.write(DAEMON, text);
    t.match(node.run(), {
      status: 1,
      said: /daemon\.json is not JSON with a list under registry-mirrors\. Nothing was changed/,
    });
    t.strictSame(node.files(), [DAEMON]);
  }
});

t.test('a file that somebody changed after the installation stays', async (t) => {
  const node = new Node(t).give('docker');
  node.run();
  node.write(CA_FILE, 'another\n');
  t.match(node.run('uninstall'), { status: 1, said: /kept: .*ca\.crt, which was changed since/ });
  t.equal(node.read(CA_FILE), 'another\n');
});

t.test('what somebody added to a shared file stays, however often the script runs', async (t) => {
  const mirror = '"registry-mirrors": ["https://cr.example.io"]';
  const added = `{"data-root": "/mnt/docker", ${mirror}}`;
  for (const before of [undefined, '{"debug": true}']) {
    const node = new Node(t).give('docker', { mirrors: HUB });
    if (before !== undefined) node.write(DAEMON, before);
    t.equal(node.run().status, 0);
    node.write(DAEMON, added);
    t.strictSame(node.run(), { status: 0, said: '' });
    t.strictSame(node.run(), { status: 0, said: '' });
    t.match(node.run('uninstall'), { status: 1, said: /kept: .*daemon\.json, which was changed since/ });
    t.equal(node.read(DAEMON), added);
  }
  const node = new Node(t).give('docker', { mirrors: HUB });
  node.write(DAEMON, '{"debug": true}');
  node.run();
  node.write(DAEMON, added);
  t.equal(node.give('docker', { mirrors: HUB, host: 'new.example.io' }).run().status, 0);
  t.match(JSON.parse(node.read(DAEMON)), { 'data-root': '/mnt/docker' });
  t.match(
    node.run('uninstall'),
    { status: 1, said: /kept: .*daemon\.json/ },
    'also if the script has changed it again',
  );
  t.match(JSON.parse(node.read(DAEMON)), { 'data-root': '/mnt/docker' });
});

t.test('what somebody added to config.toml stays, too', async (t) => {
  const node = new Node(t).give('containerd', {}, '1.7');
  node.write(CONFIG, 'version = 2\n');
  node.run();
  node.write(CONFIG, `${node.read(CONFIG)}[debug]\nlevel = "debug"\n`);
  t.strictSame(node.run(), { status: 0, said: '' });
  t.match(node.run('uninstall'), { status: 1, said: /kept: .*config\.toml/ });
  t.match(node.read(CONFIG), 'level = "debug"');
});

t.test('a run that was cut off is taken back', async (t) => {
  const node = new Node(t).give('docker', { mirrors: HUB });
  const [debug, state] = ['{"debug": true}', 'var/lib/breakwater-client/docker'];
  node.write(DAEMON, debug);
  node.run();
  const first = node.read(state);
  node.give('docker', { mirrors: HUB, host: 'new.example.io' }).run();
  node.write(state, first + node.read(state));
  t.equal(node.run('uninstall').status, 0);
  t.equal(node.read(DAEMON), debug);
});

t.test("other people's files are replaced with --force only, and come back", async (t) => {
  const node = new Node(t).give('docker', { mirrors: HUB });
  node.write(CA_FILE, 'another\n');
  t.match(node.run(), { status: 1, said: /ca\.crt holds what this script did not write.*--force/ });
  t.strictSame(node.files(), [CA_FILE], 'nothing else was written');
  t.equal(node.run('--force').status, 0);
  t.match(node.read(CA_FILE), /BEGIN CERTIFICATE/);
  t.equal(node.run('uninstall').status, 0);
  t.strictSame(node.files(), [CA_FILE]);
  t.equal(node.read(CA_FILE), 'another\n');
});

t.test('a backup belongs to one installation', async (t) => {
  const node = new Node(t).give('docker', { mirrors: HUB });
  const backup = `${DAEMON}.before-breakwater`;
  node.write(DAEMON, '{"ancient": true}');
  node.run();
  node.write(DAEMON, '{"changed": true}');
  t.match(node.run('uninstall'), { status: 1, said: /kept: .*daemon\.json.*\n.*before-breakwater\.1 is what it was/ });
  t.equal(node.read(`${backup}.1`), '{"ancient": true}');
  node.write(DAEMON, '{"today": true}');
  node.run();
  t.equal(node.run('uninstall').status, 0);
  t.equal(node.read(DAEMON), '{"today": true}');
  node.run();
  rmSync(join(node.root, DAEMON));
  t.match(node.run('uninstall'), { status: 0, said: /gone already: .*daemon\.json\. .*before-breakwater\.2 is what/ });
  node.write(backup, 'of another program');
  node.run();
  node.run('uninstall');
  t.strictSame(
    node.files(),
    [1, 2, 3].map((number) => `${backup}.${number}`),
    'none was there, so none comes back',
  );
});

t.test('a certificate of `breakwater cert bundle` is replaced without --force, and no copy is made', async (t) => {
  const node = new Node(t).give('docker');
  node.write(CA_FILE, trustPlan('docker', [], 'cr.example.io').files[0]?.content ?? '');
  t.equal(node.run().status, 0);
  t.equal(node.run('uninstall').status, 0);
  t.strictSame(node.files(), []);
});

t.test('each content that --force replaces is kept, and the last one comes back', async (t) => {
  const node = new Node(t).give('docker');
  for (const text of ['first\n', 'second\n', 'second\n']) {
    node.write(CA_FILE, text);
    t.equal(node.run('--force').status, 0);
  }
  t.equal(node.read(`${CA_FILE}.before-breakwater.1`), 'first\n');
  t.equal(node.run('uninstall').status, 0);
  t.equal(node.read(CA_FILE), 'second\n');
  t.strictSame(node.files(), [CA_FILE, `${CA_FILE}.before-breakwater.1`]);
});

t.test('a login that --output wrote is replaced, and no copy is made', async (t) => {
  const login = 'etc/gitlab-runner/breakwater/DOCKER_AUTH_CONFIG';
  const node = new Node(t).give('gitlab-ci', { ca: undefined, user: { name: 'ci', password: 'new' } });
  for (const end of ['', '\n']) {
    node.write(login, `{"auths":{"cr.example.io":{"auth":"b2xk"}}}${end}`);
    t.equal(node.run().status, 0);
    t.match(node.read(login), Buffer.from('ci:new').toString('base64'));
    t.notOk(existsSync(join(node.root, `${login}.before-breakwater`)));
  }
  for (const foreign of [
    '{"auths":{"other.lan":{"auth":"eA=="}}}',
    '{"auths":{"cr.example.io":{"auth":"eA=="}}}\n{}',
  ]) {
    node.write(login, foreign);
    t.match(node.run(), { status: 1, said: /DOCKER_AUTH_CONFIG holds what this script did not write/ });
  }
});

t.test('each file that is written whole is known as own', async (t) => {
  const site = siteOf({ mirrors: HUB, user: { name: 'ci', password: 'secret' } });
  for (const [kind, { generate }] of Object.entries(KINDS))
    for (const { path, content, ownLine } of generate({ site, version: '2.1' }).files)
      if (typeof content === 'string') {
        const [first = ''] = content.split('\n', 1);
        t.ok(
          ownLine === undefined ? /Written by `breakwater client/.test(first) : new RegExp(ownLine).test(content),
          `${kind} ${path}`,
        );
      }
});

t.test('a shared file that the script made and somebody changed is copied before it is changed again', async (t) => {
  const node = new Node(t).give('containerd', {}, '1.7');
  node.run();
  const changed = node.read(CONFIG).replace(/config_path = .*/, 'config_path = ""');
  node.write(CONFIG, changed);
  t.equal(node.run().status, 0);
  t.equal(node.read(`${CONFIG}.before-breakwater`), changed);
});

t.test('what two kinds have goes with the last of them', async (t) => {
  const site = { mirrors: HUB, user: { name: 'ci', password: 'secret' } };
  const debug = '{"debug": true}';
  for (const [first, second] of [
    ['docker', 'gitlab-ci'],
    ['gitlab-ci', 'docker'],
  ] as const) {
    const node = new Node(t);
    node.write(DAEMON, debug);
    node.give('docker', site).run();
    node.give('gitlab-ci', site).run();
    t.match(node.give(first, site).run('uninstall'), { status: 0, said: new RegExp(`left: .*, which ${second} has`) });
    t.match(node.files(), [CA_FILE, DAEMON]);
    t.match(node.read(DAEMON), 'registry-mirrors');
    t.equal(node.give(second, site).run('uninstall').status, 0);
    t.strictSame(node.files(), [DAEMON]);
    t.equal(node.read(DAEMON), debug);
  }
});

t.test('what the second kind has written over the first is known to both', async (t) => {
  const podman = 'etc/containers/certs.d/cr.example.io/ca.crt';
  for (const order of [
    ['podman', 'cri-o', 'skopeo'],
    ['skopeo', 'podman', 'cri-o'],
  ]) {
    const node = new Node(t);
    for (const kind of ['podman', 'cri-o', 'skopeo']) t.equal(node.give(kind).run().status, 0);
    for (const [index, kind] of order.entries()) {
      t.ok(existsSync(join(node.root, podman)), `${order.length - index} kinds have it`);
      t.equal(node.give(kind).run('uninstall').status, 0);
    }
    t.strictSame(node.files(), []);
  }
});

t.test('what a later script of one kind no longer has, and another kind has, stays', async (t) => {
  const node = new Node(t);
  for (const kind of ['docker', 'gitlab-ci']) node.give(kind, { mirrors: HUB }).run();
  t.match(node.give('docker').run(), { status: 0, said: /left: .*daemon\.json, which gitlab-ci has/ });
  t.match(node.read(DAEMON), 'registry-mirrors');
  node.write(DAEMON, '{"data-root": "/mnt"}');
  t.equal(node.run('uninstall').status, 0);
  t.match(node.give('gitlab-ci', { mirrors: HUB }).run('uninstall'), { status: 1, said: /kept: .*daemon\.json/ });
  t.equal(node.read(DAEMON), '{"data-root": "/mnt"}');
});

t.test('what a later script no longer has is removed', async (t) => {
  const node = new Node(t).give('microk8s', { mirrors: HUB });
  node.run();
  t.equal(node.files().length, 5);
  t.equal(node.give('microk8s').run().status, 0);
  t.strictSame(
    node.files().map((name) => name.replace(/.*certs\.d\//, '')),
    ['var/lib/breakwater-client/microk8s', 'cr.example.io/ca.crt', 'cr.example.io/hosts.toml'],
  );
});

t.test('config.toml of containerd', async (t) => {
  const registry = { registry: { config_path: '/etc/containerd/certs.d' } };
  const old = 'plugins."io.containerd.grpc.v1.cri"';
  const rows: [string, string, object | RegExp][] = [
    [
      '1.7',
      `version = 2\n[${old}]\nsandbox_image = "x"\n`,
      { 'io.containerd.grpc.v1.cri': { sandbox_image: 'x', ...registry } },
    ],
    [
      '1.7',
      `version = 2\n[${old}]\n  [${old}.registry]\n    config_path = ""\n[${old}.registry.mirrors]\n`,
      { 'io.containerd.grpc.v1.cri': { registry: { ...registry.registry, mirrors: {} } } },
    ],
    [
      '2.1',
      "version = 3\n[plugins.'io.containerd.cri.v1.images'.registry]\nx = 1\n",
      { 'io.containerd.cri.v1.images': { registry: { ...registry.registry, x: 1 } } },
    ],
    ['2.1', `version = 2\n[${old}.registry]\nconfig_path = ""\n`, { 'io.containerd.grpc.v1.cri': registry }],
    [
      '2.1',
      `version = 2\n[${old}.registry]\nconfig_path = "/other"\n`,
      /has another folder as config_path in .*move what is there/,
    ],
    ['1.7', 'version = 3\n', /has version = 3; this script knows 2/],
    ['1.7', '[plugins.cri]\n', /has version = 1; this script knows 2/],
    [
      '1.7',
      `version = 2\n[${old}.registry.mirrors."docker.io"]\n`,
      /containerd does not start with them beside config_path/,
    ],
  ];
  for (const [version, present, wanted] of rows) {
    const node = new Node(t).give('containerd', {}, version);
    node.write(CONFIG, present);
    const { status, said } = node.run();
    if (wanted instanceof RegExp) {
      t.match({ status, said }, { status: 1, said: wanted });
      t.strictSame(node.files(), [CONFIG]);
    } else {
      t.equal(status, 0, said);
      t.strictSame(tomlOf(node.read(CONFIG)).plugins, wanted);
      t.strictSame(node.run(), { status: 0, said: '' });
      t.equal(node.run('uninstall').status, 0);
      t.equal(node.read(CONFIG), present);
    }
  }
});

t.test('a config.toml that has config_path already is not ours to take back', async (t) => {
  const node = new Node(t).give('containerd', {}, '1.7');
  const present =
    'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/containerd/certs.d"\n';
  node.write(CONFIG, present);
  t.equal(node.run().status, 0);
  t.equal(node.run('uninstall').status, 0);
  t.strictSame(node.files(), [CONFIG]);
  t.equal(node.read(CONFIG), present);
});

t.test('a shared file without content is as good as none, and comes back', async (t) => {
  for (const [kind, path] of [
    ['docker', DAEMON],
    ['k3s', 'etc/rancher/k3s/registries.yaml'],
  ] as const) {
    for (const empty of ['', ' \n\t\r\n']) {
      const node = new Node(t).give(kind, { mirrors: HUB });
      node.write(path, empty);
      t.strictSame(node.run().status, 0);
      t.match(node.read(path), 'cr.example.io');
      t.equal(node.run('uninstall').status, 0);
      t.equal(node.read(path), empty);
    }
  }
});

t.test('what is no map of JSON is refused in one or two lines', async (t) => {
  const node = new Node(t).give('docker', { mirrors: HUB });
  for (const text of ['{"debug": ', '[]', '"text"', 'null', '[1, {"a": ]', '['.repeat(100_000)]) {
    node.write(DAEMON, text);
    const { status, said } = node.run();
    t.match({ status, said }, { status: 1, said: /daemon\.json is not JSON with a list under registry-mirrors/ });
    t.ok(said.trim().split('\n').length <= 2 && !said.includes('Traceback'), said.slice(0, 300));
    t.equal(node.read(DAEMON), text);
  }
});

t.test('a symbolic link is not replaced', async (t) => {
  const node = new Node(t).give('docker');
  node.write('elsewhere', 'another\n');
  mkdirSync(dirname(join(node.root, CA_FILE)), { recursive: true });
  symlinkSync(join(node.root, 'elsewhere'), join(node.root, CA_FILE));
  t.match(node.run('--force'), { status: 1, said: /ca\.crt is a symbolic link/ });
  t.equal(node.read('elsewhere'), 'another\n');
});

t.test('a file to which the script cannot add is left, with the way to do it', async (t) => {
  const node = new Node(t).give('k3s');
  node.write('etc/rancher/k3s/registries.yaml', 'mirrors: {}\n');
  t.match(node.run(), { status: 1, said: /registries\.yaml exists.*breakwater client k3s --output FOLDER/ });
  t.strictSame(node.files(), ['etc/rancher/k3s/registries.yaml']);
});

t.test('credentials are for their owner only', async (t) => {
  const node = new Node(t).give('k3s', { user: { name: 'node', password: "it's $(x) `y`" } });
  t.equal(node.run().status, 0);
  t.equal(statSync(join(node.root, 'etc/rancher/k3s/registries.yaml')).mode & 0o777, 0o600);
  t.equal(statSync(join(node.root, 'var/lib/breakwater-client/k3s')).mode & 0o777, 0o600);
  t.match(node.read('etc/rancher/k3s/registries.yaml'), "it's $(x) `y`");
  t.notOk(existsSync(join(node.root, 'x')));
});
