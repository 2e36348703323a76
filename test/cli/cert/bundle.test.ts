import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { writeBundle } from '../../../src/cli/cert/bundle.ts';
import { writeAuthority } from '../../../src/cli/cert/ca.ts';
import { renewLeaf, writeLeaf } from '../../../src/cli/cert/leaf.ts';
import { writeNodeFiles } from '../../../src/cli/client/node-folder.ts';
import { KINDS } from '../../../src/clients/kinds.ts';
import { siteOf } from '../../clients/client-sites.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const DAY = 86_400_000;
const NOW = Date.parse('2026-11-30T12:00:00Z');

t.test('a CA is written once, and both while it is replaced', async (t) => {
  const folder = temporaryFolder(t);
  const [ca, next, root] = [join(folder, 'ca'), join(folder, 'next'), join(folder, 'root')];
  await writeAuthority({ days: 100, output: ca }, NOW);
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/os-release'), 'ID=debian\n');
  t.match(
    await writeBundle({ ca, root }, NOW),
    /^wrote: .*\.crt\nnow run: chroot .* update-ca-certificates\nnote: .*\n$/,
  );
  t.match(await writeBundle({ ca, root }, NOW), /^is there already: /, 'a second run changes nothing');
  await writeAuthority({ days: 1000, output: next, with: ca }, NOW + DAY);
  t.match(await writeBundle({ ca: join(next, 'trust.crt'), root }, NOW + DAY), /wrote: .*\nis there already: /);
  t.match(await writeBundle({ ca: next, root }, NOW + DAY), /from an earlier CA: .*; remove it when no edge needs it/);
  t.equal(readdirSync(join(root, 'usr/local/share/ca-certificates')).length, 2);
  const late = await writeBundle({ ca: join(next, 'trust.crt'), root }, NOW + 150 * DAY);
  t.match(late, /^left out, as it expired on 2027-03-10: CN=Breakwater CA 2026-11-30\n/);
});

t.test('container programs get it for their registry, and no key ever', async (t) => {
  const folder = temporaryFolder(t);
  await writeAuthority({ days: 100, output: folder }, NOW);
  const both = join(folder, 'both.pem');
  writeFileSync(both, readFileSync(join(folder, 'ca.key'), 'utf8') + readFileSync(join(folder, 'ca.crt'), 'utf8'));
  const options = { root: folder, for: ['docker' as const, 'containers' as const], host: 'cr.test:443' };
  await writeBundle({ ...options, ca: both }, NOW);
  const file = join(folder, 'etc/docker/certs.d/cr.test/ca.crt');
  t.match(readFileSync(file, 'utf8'), /^# Written by `breakwater cert bundle` for cr\.test\. .*\n-----BEGIN/);
  t.ok(
    readFileSync(file, 'utf8').endsWith(readFileSync(join(folder, 'ca.crt'), 'utf8')),
    'then the CA, and nothing else',
  );
  writeFileSync(file, 'of somebody else');
  await t.rejects(writeBundle({ ...options, ca: folder }, NOW), { message: /ca\.crt exists already.*--force/ });
  t.equal(readFileSync(file, 'utf8'), 'of somebody else');
  await writeBundle({ ...options, ca: folder, force: true }, NOW);
  t.match(readFileSync(file, 'utf8'), /BEGIN CERTIFICATE/);
});

t.test('the documented replacement of a CA works at docker and podman, and beside `breakwater client`', async (t) => {
  const folder = temporaryFolder(t);
  const [old, next, edge] = [join(folder, 'ca'), join(folder, 'ca-2027'), join(folder, 'edge')];
  await writeAuthority({ days: 100, output: old }, NOW);
  await writeLeaf(['cr.test'], { ca: old, output: edge, days: 50, before: 30 }, NOW);
  const bundle = (ca: string, now: number) =>
    writeBundle({ ca, root: folder, for: ['docker', 'containers'], host: 'cr.test' }, now);
  const clients = async (file: string) => {
    const site = siteOf({ host: 'cr.test', ca: readFileSync(file, 'utf8') });
    for (const kind of ['docker', 'podman'])
      await writeNodeFiles(KINDS[kind]?.generate({ site, version: undefined }).files ?? [], folder, false);
  };
  const trusted = () =>
    ['docker', 'containers'].map((name) => {
      const text = readFileSync(join(folder, 'etc', name, 'certs.d/cr.test/ca.crt'), 'utf8');
      return text.slice(text.indexOf('-----BEGIN'));
    });
  const both = (text: string) => [text, text];
  await bundle(old, NOW);
  await writeAuthority({ days: 1000, output: next, with: old }, NOW + DAY);
  const [trust, ca] = ['trust.crt', 'ca.crt'].map((name) => join(next, name)) as [string, string];
  await bundle(trust, NOW + DAY);
  t.strictSame(trusted(), both(readFileSync(trust, 'utf8')));
  await renewLeaf([], { ca: next, output: edge, days: 50, before: 30, force: true }, NOW + DAY);
  await bundle(ca, NOW + DAY);
  t.strictSame(trusted(), both(readFileSync(ca, 'utf8')));
  for (const file of [trust, ca]) {
    await clients(file);
    t.strictSame(trusted(), both(readFileSync(file, 'utf8')), 'client over bundle');
    await bundle(file === ca ? trust : ca, NOW + DAY);
    t.strictSame(trusted(), both(readFileSync(file === ca ? trust : ca, 'utf8')), 'bundle over client');
  }
  t.notOk(existsSync(join(folder, 'etc/docker/certs.d/cr.test/ca.crt.before-breakwater')));
});

t.test('what nobody should trust is refused with words', async (t) => {
  const folder = temporaryFolder(t);
  const refused = (options: Partial<Parameters<typeof writeBundle>[0]>, message: RegExp, at = NOW) =>
    t.rejects(writeBundle({ ca: folder, root: join(folder, 'root'), for: ['debian'], ...options }, at), {
      ...{ name: 'UsageError', message },
    });
  await refused({}, /ca\.crt does not exist/);
  await writeAuthority({ days: 10, output: folder }, NOW);
  await refused({}, /the CA expired on 2026-12-10, so nothing was written/, NOW + 20 * DAY);
  await refused({ for: ['docker'] }, /name it as images do/);
  await refused({ for: ['containers'], host: '../..' }, /name it as images do/);
  await refused({ for: undefined }, /name it with --for/);
  const leaf = { ca: folder, output: folder, days: 5, before: 30 };
  await writeLeaf(['cr.test'], leaf, NOW);
  await refused({ ca: join(folder, 'tls.crt') }, /CN=cr\.test is the certificate of a server/);
  await renewLeaf([], leaf, NOW);
});
