import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CA_FILE, CONFIG, DAEMON, HUB, ScriptNode } from './script-node.ts';

t.test('a file that somebody changed after the installation stays', async (t) => {
  const node = new ScriptNode(t).give('docker');
  node.run();
  node.write(CA_FILE, 'another\n');
  t.match(node.run('uninstall'), { status: 1, said: /kept: .*ca\.crt, which was changed since/ });
  t.equal(node.read(CA_FILE), 'another\n');
});

t.test('what somebody added to a shared file stays, however often the script runs', async (t) => {
  const mirror = '"registry-mirrors": ["https://cr.example.io"]';
  const added = `{"data-root": "/mnt/docker", ${mirror}}`;
  for (const before of [undefined, '{"debug": true}']) {
    const node = new ScriptNode(t).give('docker', { mirrors: HUB });
    if (before !== undefined) node.write(DAEMON, before);
    t.equal(node.run().status, 0);
    node.write(DAEMON, added);
    t.strictSame(node.run(), { status: 0, said: '' });
    t.strictSame(node.run(), { status: 0, said: '' });
    t.match(node.run('uninstall'), { status: 1, said: /kept: .*daemon\.json, which was changed since/ });
    t.equal(node.read(DAEMON), added);
  }
  const node = new ScriptNode(t).give('docker', { mirrors: HUB });
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
  const node = new ScriptNode(t).give('containerd', {}, '1.7');
  node.write(CONFIG, 'version = 2\n');
  node.run();
  node.write(CONFIG, `${node.read(CONFIG)}[debug]\nlevel = "debug"\n`);
  t.strictSame(node.run(), { status: 0, said: '' });
  t.match(node.run('uninstall'), { status: 1, said: /kept: .*config\.toml/ });
  t.match(node.read(CONFIG), 'level = "debug"');
});

t.test('a run that was cut off is taken back', async (t) => {
  const node = new ScriptNode(t).give('docker', { mirrors: HUB });
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
  const node = new ScriptNode(t).give('docker', { mirrors: HUB });
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
  const node = new ScriptNode(t).give('docker', { mirrors: HUB });
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

t.test('each content that --force replaces is kept, and the last one comes back', async (t) => {
  const node = new ScriptNode(t).give('docker');
  for (const text of ['first\n', 'second\n', 'second\n']) {
    node.write(CA_FILE, text);
    t.equal(node.run('--force').status, 0);
  }
  t.equal(node.read(`${CA_FILE}.before-breakwater.1`), 'first\n');
  t.equal(node.run('uninstall').status, 0);
  t.equal(node.read(CA_FILE), 'second\n');
  t.strictSame(node.files(), [CA_FILE, `${CA_FILE}.before-breakwater.1`]);
});

t.test('a shared file that the script made and somebody changed is copied before it is changed again', async (t) => {
  const node = new ScriptNode(t).give('containerd', {}, '1.7');
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
    const node = new ScriptNode(t);
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
    const node = new ScriptNode(t);
    for (const kind of ['podman', 'cri-o', 'skopeo']) t.equal(node.give(kind).run().status, 0);
    for (const [index, kind] of order.entries()) {
      t.ok(existsSync(join(node.root, podman)), `${order.length - index} kinds have it`);
      t.equal(node.give(kind).run('uninstall').status, 0);
    }
    t.strictSame(node.files(), []);
  }
});

t.test('what a later script of one kind no longer has, and another kind has, stays', async (t) => {
  const node = new ScriptNode(t);
  for (const kind of ['docker', 'gitlab-ci']) node.give(kind, { mirrors: HUB }).run();
  t.match(node.give('docker').run(), { status: 0, said: /left: .*daemon\.json, which gitlab-ci has/ });
  t.match(node.read(DAEMON), 'registry-mirrors');
  node.write(DAEMON, '{"data-root": "/mnt"}');
  t.equal(node.run('uninstall').status, 0);
  t.match(node.give('gitlab-ci', { mirrors: HUB }).run('uninstall'), { status: 1, said: /kept: .*daemon\.json/ });
  t.equal(node.read(DAEMON), '{"data-root": "/mnt"}');
});
