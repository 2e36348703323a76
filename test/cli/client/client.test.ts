import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { writeClientFiles } from '../../../src/cli/client/client-files.ts';
import type { ClientOptions } from '../../../src/cli/client/client-options.ts';
import { createProgram } from '../../../src/cli/main.ts';
import { KINDS } from '../../../src/clients/kinds.ts';
import { makeCertificate } from '../../../src/lab/certificate.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

/** What a run prints, or the message of its error. */
async function run(kind: string, options: Partial<ClientOptions>) {
  const said = { stdout: '', stderr: '', error: '' };
  const { stdout, stderr } = process;
  const [out, err] = [stdout.write, stderr.write];
  stdout.write = ((text: string) => {
    said.stdout += text;
    return true;
  }) as typeof out;
  stderr.write = ((text: string) => {
    said.stderr += text;
    return true;
  }) as typeof err;
  try {
    await writeClientFiles(kind, { mirror: [], ...options });
  } catch (error) {
    said.error = `${(error as Error).name}: ${(error as Error).message}`;
  } finally {
    stdout.write = out;
    stderr.write = err;
  }
  return said;
}

/** Its last day was 2020-01-02. */
const EXPIRED = `-----BEGIN CERTIFICATE-----
MIIBDTCBs6ADAgECAgEBMAoGCCqGSM49BAMCMA4xDDAKBgNVBAMTA29sZDAeFw0y
MDAxMDEwMDAwMDBaFw0yMDAxMDIwMDAwMDBaMA4xDDAKBgNVBAMTA29sZDBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABA3esfKmjbnU6UN1Xc79MvIvUUa98z1uxciJ
+Qt7o4hIDexAa7ZXE/urq1leIHBtMBCaykLnCyd3au5xQBNgxwqjAjAAMAoGCCqG
SM49BAMCA0kAMEYCIQDTulSD5nPtn//eYoDfRAXhzTlbR4qI2JWwQJi9LG4ZxQIh
AMn6hijfDIHRaMpw5CYZePWajfUhZWC6T3x9BV/nsxuy
-----END CERTIFICATE-----
`;

const EDGE = { hostname: 'cr.example.io' };

t.test('mistakes are told with what is known', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, 'no certificate');
  const rows: [string, Partial<ClientOptions>, RegExp][] = [
    ['dokcer', EDGE, /no kind of client is called "dokcer"; known are docker, containerd, .*\. Did you mean docker\?/],
    ['constructor', EDGE, /no kind of client is called "constructor"/],
    ['containerd', EDGE, /name it with --client-version \(known are 1\.6, 1\.7, 2\.0/],
    ['containerd', { ...EDGE, clientVersion: '1.5' }, /containerd "1\.5" is not a known version; known are 1\.6/],
    [
      'podman',
      { hostname: 'https://cr.example.io' },
      /--hostname "https:\/\/cr\.example\.io" is no host: expected HOST/,
    ],
    ['podman', { hostname: '../etc' }, /is no host/],
    ['podman', { ...EDGE, mirror: ['docker.io=Hub/'] }, /expected REGISTRY=PREFIX\//],
    ['podman', { ...EDGE, mirror: ['quay.io', 'quay.io=a/'] }, /--mirror names quay\.io twice/],
    ['podman', { ...EDGE, mirror: ['cr.example.io'] }, /which is the edge itself/],
    ['podman', { ...EDGE, fallback: 'gcr.io/Up' }, /expected HOST\/PATH/],
    ['podman', { ...EDGE, ca: file }, /--ca: .*file holds no certificate in PEM form/],
    ['podman', { ...EDGE, ca: join(folder, 'gone') }, /--ca: .*gone does not exist/],
    ['podman', { config: join(folder, 'gone.yaml') }, /there is no configuration at .*gone\.yaml/],
  ];
  for (const [kind, options, says] of rows) t.match((await run(kind, options)).error, says);
});

t.test('an expired authority is refused', async (t) => {
  const file = join(temporaryFolder(t), 'ca.crt');
  writeFileSync(file, EXPIRED);
  t.match((await run('podman', { ...EDGE, ca: file })).error, /certificate 1 of 1 in .* expired on 2020-01-02/);
});

t.test('only certificates of a file are written', async (t) => {
  const folder = temporaryFolder(t);
  const { ca, key } = await makeCertificate({ names: [], authority: true });
  const file = join(folder, 'all.pem');
  writeFileSync(file, `${key}${ca}`);
  const { stdout } = await run('docker', { ...EDGE, ca: file });
  t.match(stdout, /BEGIN CERTIFICATE/);
  t.notMatch(stdout, /PRIVATE/);
});

t.test('hostname, authority and fallback come from the configuration', async (t) => {
  const folder = temporaryFolder(t);
  const { cert, ca } = await makeCertificate({ names: [], authority: true });
  writeFileSync(join(folder, 'tls.crt'), `${cert}${ca}`);
  writeFileSync(join(folder, 'gcr-ca.crt'), ca);
  const config = join(folder, 'breakwater.yaml');
  const yaml = (url: string) => `hostname: cr.example.io
listen: { https: '0.0.0.0:8443' }
tls: { certFile: tls.crt, keyFile: tls.key }
upstreams:
  harbor: { urls: ['https://harbor.lan'] }
  gcr: { urls: ['${url}'], caFile: gcr-ca.crt }
routes:
  - { prefix: hub/, registry: quay.io, pull: [{ upstream: gcr }] }
  - { prefix: library/, push: harbor, pull: [{ upstream: harbor }, { upstream: gcr, prefix: example-project/ }] }
`;
  writeFileSync(config, yaml('https://asia.gcr.io'));
  const { stdout, stderr } = await run('podman', { config, withFallback: true, mirror: ['docker.io', 'quay.io'] });
  t.match(stdout, /certs\.d\/cr\.example\.io:8443\/ca\.crt/);
  t.match(stdout, /certs\.d\/asia\.gcr\.io\/ca\.crt/);
  t.match(stdout, /prefix = "cr\.example\.io:8443\/library"[\s\S]*location = "asia\.gcr\.io\/example-project"/);
  t.match(stderr, /The edge answers 404 to containerd, .* images of docker\.io/);
  t.notMatch(stderr, /404 to containerd, .* images of quay\.io/);
  writeFileSync(config, yaml('http://asia.gcr.io').replace(', caFile: gcr-ca.crt', ''));
  t.match(
    (await run('podman', { config, withFallback: true })).error,
    /cannot be a fallback of clients: expected https/,
  );
  writeFileSync(config, yaml('https://asia.gcr.io').replace(', { upstream: gcr, prefix: example-project/ }', ''));
  t.match((await run('podman', { config, withFallback: true })).error, /has no fallback.*--fallback HOST\/PATH/);
  writeFileSync(join(folder, 'tls.crt'), EXPIRED);
  t.match((await run('podman', { config })).error, /the last certificate in .*tls\.crt expired on 2020-01-02/);
  writeFileSync(config, 'hostname: [');
  t.match((await run('podman', { config })).error, /./);
});

t.test('a folder: merged, with a backup, and the same after a second run', async (t) => {
  const folder = temporaryFolder(t);
  const daemon = join(folder, 'etc/docker/daemon.json');
  mkdirSync(join(folder, 'etc/docker'), { recursive: true });
  writeFileSync(daemon, '{"debug": true}\n');
  chmodSync(daemon, 0o640);
  const options = { ...EDGE, mirror: ['docker.io'], output: folder, json: true };
  const first = JSON.parse((await run('docker', options)).stdout);
  t.strictSame(first.files, [{ path: daemon, done: 'merged', backup: `${daemon}.before-breakwater` }]);
  t.strictSame(JSON.parse(readFileSync(daemon, 'utf8')), {
    debug: true,
    'registry-mirrors': ['https://cr.example.io'],
  });
  t.equal(statSync(daemon).mode & 0o777, 0o640, 'its mode stays');
  t.equal(readFileSync(`${daemon}.before-breakwater`, 'utf8'), '{"debug": true}\n');
  t.strictSame(JSON.parse((await run('docker', options)).stdout).files, [{ path: daemon, done: 'unchanged' }]);
  writeFileSync(daemon, '{"debug": ');
  t.match((await run('docker', options)).error, /^UsageError: nothing was written: .*daemon\.json: .*JSON/);
});

t.test("other people's files are not overwritten without --force", async (t) => {
  const folder = temporaryFolder(t);
  const hosts = join(folder, 'etc/containerd/certs.d/cr.example.io/hosts.toml');
  mkdirSync(join(hosts, '..'), { recursive: true });
  writeFileSync(hosts, 'server = "https://old.lan"\n');
  const options = { ...EDGE, clientVersion: '2.4.2', output: folder };
  t.match(
    (await run('containerd', options)).error,
    /nothing was written: .*hosts\.toml holds what this command did not write/,
  );
  t.notOk(existsSync(join(folder, 'etc/containerd/config.toml')), 'and nothing else is written');
  await run('containerd', { ...options, force: true });
  t.match(readFileSync(hosts, 'utf8'), /^# Written by/);
  t.equal(readFileSync(`${hosts}.before-breakwater`, 'utf8'), 'server = "https://old.lan"\n');
  t.equal((await run('containerd', { ...options, mirror: ['quay.io'] })).error, '', 'what it wrote itself is replaced');
});

t.test('each content that is lost is in a copy', async (t) => {
  const folder = temporaryFolder(t);
  const options = { ...EDGE, clientVersion: '2.4', output: folder, force: true };
  const [hosts, config] = ['certs.d/cr.example.io/hosts.toml', 'config.toml'].map((name) =>
    join(folder, 'etc/containerd', name),
  );
  if (!hosts || !config) throw new Error();
  mkdirSync(join(hosts, '..'), { recursive: true });
  for (const text of ['a = 1\n', 'b = 2\n', 'b = 2\n']) {
    writeFileSync(hosts, text);
    t.equal((await run('containerd', options)).error, '');
  }
  t.equal(readFileSync(`${hosts}.before-breakwater`, 'utf8'), 'b = 2\n');
  t.equal(readFileSync(`${hosts}.before-breakwater.1`, 'utf8'), 'a = 1\n');
  t.notOk(existsSync(`${hosts}.before-breakwater.2`), 'and no content twice');
  for (const text of ['version = 3\n', 'version = 3\nroot = "/a"\n', 'version = 3 # newer\n']) {
    writeFileSync(config, text);
    t.equal((await run('containerd', options)).error, '');
  }
  t.equal(readFileSync(`${config}.before-breakwater`, 'utf8'), 'version = 3 # newer\n', 'the comment is lost');
  t.equal(readFileSync(`${config}.before-breakwater.1`, 'utf8'), 'version = 3\n');
  t.notOk(existsSync(`${config}.before-breakwater.2`), 'what was merged is in the file itself');
});

t.test('credentials come by a file, and only into kinds that hold them', async (t) => {
  const folder = temporaryFolder(t);
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, 'secret\n');
  const user = { ...EDGE, user: 'ci', passwordFile };
  t.match((await run('podman', user)).error, /the files of podman hold no credentials.*k3s, gitlab-ci, kubernetes/);
  t.match((await run('k3s', { ...EDGE, user: 'ci' })).error, /--user and --password-file belong together/);
  t.match((await run('k3s', { ...user, user: 'a:b' })).error, /has a colon or a space/);
  const output = join(folder, 'node');
  t.equal((await run('k3s', { ...user, output })).error, '');
  const file = join(output, 'etc/rancher/k3s/registries.yaml');
  t.equal(statSync(file).mode & 0o777, 0o600);
  t.match(readFileSync(file, 'utf8'), /password: secret\n/);
  chmodSync(file, 0o644);
  writeFileSync(passwordFile, 'other\n');
  t.equal((await run('k3s', { ...user, output })).error, '');
  t.equal(statSync(file).mode & 0o777, 0o600, 'a secret that is added to a file closes it');
  writeFileSync(passwordFile, 'a\nb\n');
  t.match((await run('k3s', user)).error, /has several lines/);
  writeFileSync(passwordFile, '');
  t.match((await run('k3s', user)).error, /is empty or too long/);
});

t.test('another password replaces the login that the command wrote, and leaves no copy', async (t) => {
  const folder = temporaryFolder(t);
  const [passwordFile, output] = [join(folder, 'password'), join(folder, 'node')];
  const options = { ...EDGE, user: 'ci', passwordFile, output };
  const file = join(output, 'etc/gitlab-runner/breakwater/DOCKER_AUTH_CONFIG');
  for (const password of ['first', 'second']) {
    writeFileSync(passwordFile, password);
    t.equal((await run('gitlab-ci', options)).error, '');
    const { auths } = JSON.parse(readFileSync(file, 'utf8'));
    t.equal(Buffer.from(auths['cr.example.io'].auth, 'base64').toString(), `ci:${password}`);
    t.notOk(existsSync(`${file}.before-breakwater`));
  }
  for (const foreign of [
    '{"auths":{"cr.example.io":{"auth":"eA=="},"other.lan":{"auth":"eA=="}}}',
    '{"auths":{"crxexample.io":{"auth":"eA=="}}}',
    '{"auths":{"cr.example.io":{"auth":"eA=="}}}\n{}',
  ]) {
    writeFileSync(file, foreign);
    t.match((await run('gitlab-ci', options)).error, /DOCKER_AUTH_CONFIG holds what this command did not write/);
  }
});

t.test('a script, which is not mixed with other output', async (t) => {
  const script = join(temporaryFolder(t), 'install.sh');
  const options = { ...EDGE, script };
  t.equal((await run('docker', options)).error, '');
  t.match(readFileSync(script, 'utf8'), /^#!\/bin\/sh\n# Written by `breakwater client docker`/);
  t.equal(statSync(script).mode & 0o777, 0o700);
  t.equal((await run('podman', options)).error, '', 'a script is replaced by another one');
  writeFileSync(script, 'mine\n');
  t.match((await run('docker', options)).error, /install\.sh exists\. Look at it; --force replaces it/);
  t.match((await run('docker', { ...EDGE, script: '-' })).stdout, /^#!\/bin\/sh\n/);
  t.match((await run('docker', { ...options, json: true })).error, /--script writes one file/);
  t.match((await run('kubernetes', options)).error, /kubernetes has no install script/);
  t.match((await run('kubernetes', { ...EDGE, image: '$(x)' })).error, /is no image/);
});

t.test('every option of the command is known to its code', async (t) => {
  const client = createProgram().commands.find((command) => command.name() === 'client');
  const long = client?.options.map(({ long }) => long) ?? [];
  for (const name of ['--image', '--user', '--password-file', '--script', '--force', '--fallback-ca'])
    t.ok(long.includes(name), name);
});

t.test('its help names the kinds', async (t) => {
  const client = createProgram().commands.find((command) => command.name() === 'client');
  for (const kind of Object.keys(KINDS)) t.match(client?.helpInformation(), kind);
});
