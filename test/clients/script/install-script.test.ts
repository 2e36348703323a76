import { existsSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { trustPlan } from '../../../src/certificates/trust-places.ts';
import { KINDS } from '../../../src/clients/kinds.ts';
import { siteOf, tomlOf } from '../client-sites.ts';
import { CA_FILE, CONFIG, DAEMON, HUB, ScriptNode } from './script-node.ts';

t.test('installs, changes nothing again, and takes it back', async (t) => {
  const node = new ScriptNode(t).give('docker', { mirrors: HUB });
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
  const node = new ScriptNode(t).give('docker', { mirrors: HUB });
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

t.test('a certificate of `breakwater cert bundle` is replaced without --force, and no copy is made', async (t) => {
  const node = new ScriptNode(t).give('docker');
  node.write(CA_FILE, trustPlan('docker', [], 'cr.example.io').files[0]?.content ?? '');
  t.equal(node.run().status, 0);
  t.equal(node.run('uninstall').status, 0);
  t.strictSame(node.files(), []);
});

t.test('a login that --output wrote is replaced, and no copy is made', async (t) => {
  const login = 'etc/gitlab-runner/breakwater/DOCKER_AUTH_CONFIG';
  const node = new ScriptNode(t).give('gitlab-ci', { ca: undefined, user: { name: 'ci', password: 'new' } });
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

t.test('what a later script no longer has is removed', async (t) => {
  const node = new ScriptNode(t).give('microk8s', { mirrors: HUB });
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
    const node = new ScriptNode(t).give('containerd', {}, version);
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
  const node = new ScriptNode(t).give('containerd', {}, '1.7');
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
      const node = new ScriptNode(t).give(kind, { mirrors: HUB });
      node.write(path, empty);
      t.strictSame(node.run().status, 0);
      t.match(node.read(path), 'cr.example.io');
      t.equal(node.run('uninstall').status, 0);
      t.equal(node.read(path), empty);
    }
  }
});

t.test('what is no map of JSON is refused in one or two lines', async (t) => {
  const node = new ScriptNode(t).give('docker', { mirrors: HUB });
  for (const text of ['{"debug": ', '[]', '"text"', 'null', '[1, {"a": ]', '['.repeat(100_000)]) {
    node.write(DAEMON, text);
    const { status, said } = node.run();
    t.match({ status, said }, { status: 1, said: /daemon\.json is not JSON with a list under registry-mirrors/ });
    t.ok(said.trim().split('\n').length <= 2 && !said.includes('Traceback'), said.slice(0, 300));
    t.equal(node.read(DAEMON), text);
  }
});

t.test('a symbolic link is not replaced', async (t) => {
  const node = new ScriptNode(t).give('docker');
  node.write('elsewhere', 'another\n');
  mkdirSync(dirname(join(node.root, CA_FILE)), { recursive: true });
  symlinkSync(join(node.root, 'elsewhere'), join(node.root, CA_FILE));
  t.match(node.run('--force'), { status: 1, said: /ca\.crt is a symbolic link/ });
  t.equal(node.read('elsewhere'), 'another\n');
});

t.test('a file to which the script cannot add is left, with the way to do it', async (t) => {
  const node = new ScriptNode(t).give('k3s');
  node.write('etc/rancher/k3s/registries.yaml', 'mirrors: {}\n');
  t.match(node.run(), { status: 1, said: /registries\.yaml exists.*breakwater client k3s --output FOLDER/ });
  t.strictSame(node.files(), ['etc/rancher/k3s/registries.yaml']);
});

t.test('credentials are for their owner only', async (t) => {
  const node = new ScriptNode(t).give('k3s', { user: { name: 'node', password: "it's $(x) `y`" } });
  t.equal(node.run().status, 0);
  t.equal(statSync(join(node.root, 'etc/rancher/k3s/registries.yaml')).mode & 0o777, 0o600);
  t.equal(statSync(join(node.root, 'var/lib/breakwater-client/k3s')).mode & 0o777, 0o600);
  t.match(node.read('etc/rancher/k3s/registries.yaml'), "it's $(x) `y`");
  t.notOk(existsSync(join(node.root, 'x')));
});
