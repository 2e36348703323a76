import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { tryCommand } from '../../helpers/command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { findTool, missing } from '../../helpers/tool.ts';

// What the rules say that programs do is asked of the programs themselves, with the files of the rules.
const FIXTURES = new URL('../../fixtures/lint/', import.meta.url).pathname;

/** The one file of a rule's tree below a folder. */
function fileOf(rule: string, side: 'bad' | 'good', folder: string): string {
  const place = join(FIXTURES, rule, side, folder);
  return join(place, readdirSync(place).find((name) => name.includes('.') && name !== 'certs.d') ?? '');
}

t.test('skopeo refuses what the rules for registries.conf say', { skip: missing('skopeo') }, async (t) => {
  const home = temporaryFolder(t);
  const said = async (conf: string, image = '127.0.0.1:1/x') => {
    const args = ['inspect', '--registries-conf', conf, `docker://${image}`];
    return (await tryCommand('skopeo', args, { env: { ...process.env, HOME: home } })).output;
  };
  const place = 'etc/containers/registries.conf.d';
  for (const [rule, message] of [
    ['registries-scheme', /URI schemes are not supported/],
    ['registries-no-location', /location is unset/],
    ['registries-pull-from-mirror-place', /must not be set for a non-mirror registry/],
    ['registries-pull-from-mirror-value', /unsupported pull-from-mirror value/],
    ['registries-digest-conflict', /at the same time/],
    ['registries-wildcard', /should be in the format/],
    ['registries-short-name-mode', /invalid short-name mode/],
  ] as const) {
    t.match(await said(fileOf(rule, 'bad', place)), message, `${rule}: bad`);
    t.match(await said(fileOf(rule, 'good', place)), /connection refused/, `${rule}: good`);
  }
  t.match(await said(fileOf('registries-blocked-edge', 'bad', place), 'cr.example.io/x'), /is blocked/);
});

t.test('skopeo refuses what the rules for policy.json say', { skip: missing('skopeo') }, async (t) => {
  const home = temporaryFolder(t);
  const said = async (policy: string) => {
    const args = ['--policy', policy, 'copy', 'docker://127.0.0.1:1/x', `dir:${join(home, 'out')}`];
    return (await tryCommand('skopeo', args, { env: { ...process.env, HOME: home } })).output;
  };
  t.match(await said(fileOf('policy-no-default', 'bad', 'etc/containers')), /Default policy is missing/i);
  t.match(await said(fileOf('policy-unknown-key', 'bad', 'etc/containers')), /Unknown key/i);
  t.match(await said(fileOf('policy-unknown-key', 'good', 'etc/containers')), /connection refused/);
});

t.test('skopeo reads credentials as the rules say', { skip: missing('skopeo') }, async (t) => {
  const home = temporaryFolder(t);
  const said = async (file: string) => {
    const local = join(home, 'auth.json');
    writeFileSync(local, readFileSync(file, 'utf8').replaceAll('cr.example.io', '127.0.0.1:1'));
    const args = ['inspect', '--authfile', local, 'docker://127.0.0.1:1/x'];
    return (await tryCommand('skopeo', args, { env: { ...process.env, HOME: home } })).output;
  };
  t.match(await said(fileOf('auth-not-base64', 'bad', 'root/.docker')), /illegal base64 data/);
  t.match(await said(fileOf('auth-no-colon', 'bad', 'root/.docker')), /connection refused/, 'it goes on');
  t.match(await said(fileOf('auth-plain-fields', 'bad', 'etc/containers')), /connection refused/, 'it goes on');
});

t.test('containerd reads config.toml as the rules say', { skip: missing('containerd') }, async (t) => {
  const dumped = async (rule: string, side: 'bad' | 'good') =>
    (await tryCommand(findTool('containerd') ?? '', ['-c', fileOf(rule, side, 'etc/containerd'), 'config', 'dump']))
      .output;
  const isOne = /containerd\S* v?1\./.test((await tryCommand('containerd', ['--version'])).output);
  if (!isOne) {
    t.comment('these rules are for containerd 1');
    return;
  }
  const set = /config_path = ["']\/etc\/containerd\/certs\.d["']/;
  for (const rule of ['containerd-new-name-in-version-2', 'containerd-no-version', 'containerd-no-config-path']) {
    t.match(await dumped(rule, 'bad'), /config_path = (""|'')/, `${rule}: bad`);
    t.match(await dumped(rule, 'good'), set, `${rule}: good`);
  }
  t.match(await dumped('containerd-short-name-in-version-2', 'bad'), /invalid plugin key URI "cri"/);
  t.match(await dumped('containerd-unquoted-registry', 'bad'), /registry\.configs\.cr\]/);
});

t.test('dockerd refuses daemon.json as the rules say', { skip: missing('dockerd') }, async (t) => {
  const folder = temporaryFolder(t);
  const places = ['--data-root', 'root', '--exec-root', 'exec', '--pidfile', 'pid'].map((part, index) =>
    index % 2 === 0 ? part : join(folder, part),
  );
  const said = async (rule: string) => {
    const args = [
      '--config-file',
      fileOf(rule, 'bad', 'etc/docker'),
      ...places,
      '-H',
      `unix://${join(folder, 'socket')}`,
    ];
    return (await tryCommand(findTool('dockerd') ?? '', args, { timeout: 10_000 })).output;
  };
  t.match(await said('docker-unknown-key'), /don't match any configuration option: mirrors/);
  t.match(await said('docker-mirrors-no-list'), /cannot unmarshal string/);
});
