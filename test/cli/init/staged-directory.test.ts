import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { leftBehind, StagedDirectory, type StagedFile } from '../../../src/cli/init/staged-directory.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const FILES: StagedFile[] = [
  { name: 'edge.key', content: Buffer.from([0xff, 0x00, 0x0a]), isSecret: true },
  { name: 'ca/ca.crt', content: 'ca\n', isSecret: false },
  { name: 'breakwater.yaml', content: 'new\n', isSecret: false },
];

async function stage(t: Test, directory: string, owner?: { uid: number; gid: number }): Promise<StagedDirectory> {
  const staged = await StagedDirectory.create(directory, owner);
  t.teardown(() => staged.discard());
  for (const file of FILES) await staged.write(file);
  return staged;
}

const modeOf = (file: string) => statSync(file).mode & 0o777;

t.test('a new directory is seen with everything in it', async (t) => {
  const parent = temporaryFolder(t);
  const directory = join(parent, 'deep/site');
  const staged = await stage(t, directory);
  t.notOk(existsSync(directory), 'nothing is there before');
  t.equal(modeOf(staged.path), 0o700);
  await staged.publish(false);
  t.strictSame(readdirSync(join(parent, 'deep')), ['site'], 'and nothing is beside it');
  t.equal(modeOf(join(directory, 'edge.key')), 0o600);
  t.strictSame(readFileSync(join(directory, 'edge.key')), FILES[0]?.content);
  t.equal(modeOf(join(directory, 'ca/ca.crt')), 0o644);
  t.equal(modeOf(directory), 0o755);
});

t.test('what is not published leaves nothing', async (t) => {
  const parent = temporaryFolder(t);
  const staged = await stage(t, join(parent, 'site'));
  t.strictSame(await leftBehind(join(parent, 'site')), [staged.path], 'as a killed run would leave it');
  await staged.discard();
  t.strictSame(readdirSync(parent), []);
});

t.test('a directory with other files', async (t) => {
  const directory = temporaryFolder(t);
  writeFileSync(join(directory, 'mine'), 'mine');
  await (await stage(t, directory)).publish(false);
  t.strictSame(readdirSync(directory).sort(), ['breakwater.yaml', 'ca', 'edge.key', 'mine']);
  t.strictSame(await leftBehind(directory), []);
});

t.test('a file that is there is replaced only on demand', async (t) => {
  const directory = temporaryFolder(t);
  const config = join(directory, 'breakwater.yaml');
  writeFileSync(config, 'old');
  const refused = await stage(t, directory);
  await t.rejects(refused.publish(false), { name: 'UsageError', message: /cannot be written: EEXIST/ });
  t.equal(readFileSync(config, 'utf8'), 'old');
  t.notOk(existsSync(join(directory, 'edge.key')), 'the files before it are gone again');
  await (await stage(t, directory)).publish(true);
  t.equal(readFileSync(config, 'utf8'), 'new\n');
});

t.test('a symbolic link stays', async (t) => {
  const parent = temporaryFolder(t);
  mkdirSync(join(parent, 'real'));
  symlinkSync('real', join(parent, 'site'));
  await (await stage(t, join(parent, 'site'))).publish(false);
  t.ok(existsSync(join(parent, 'real/breakwater.yaml')));
});

t.test('a place that cannot be written', async (t) => {
  const parent = temporaryFolder(t);
  writeFileSync(join(parent, 'file'), '');
  await t.rejects(StagedDirectory.create(join(parent, 'file/site'), undefined), {
    name: 'UsageError',
    message: /cannot be written/,
  });
});

t.test('a secret stays readable for its group', async (t) => {
  const directory = temporaryFolder(t);
  for (const name of ['edge.key', 'breakwater.yaml']) {
    writeFileSync(join(directory, name), 'old');
    chmodSync(join(directory, name), 0o646);
  }
  await (await stage(t, directory)).publish(true);
  t.equal(modeOf(join(directory, 'edge.key')), 0o640, 'and for no other user');
  t.equal(modeOf(join(directory, 'breakwater.yaml')), 0o644);
  const owned = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  await (await stage(t, directory, owned)).publish(true);
  t.equal(modeOf(join(directory, 'edge.key')), 0o600, 'with --owner, for this user alone');
});

t.test(
  'files that are replaced stay with their users',
  { skip: process.getuid?.() !== 0 && 'only root gives files away' },
  async (t) => {
    const directory = temporaryFolder(t);
    mkdirSync(join(directory, 'ca'));
    writeFileSync(join(directory, 'edge.key'), 'old');
    writeFileSync(join(directory, 'ca/ca.key'), 'old');
    chownSync(directory, 1234, 5678);
    chownSync(join(directory, 'edge.key'), 4321, 8765);
    const staged = await stage(t, directory);
    for (const name of ['ca/ca.key', 'ca/other.key'])
      await staged.write({ name, content: 'x', isSecret: true, isPrivate: true });
    await staged.publish(true);
    t.match(statSync(join(directory, 'edge.key')), { uid: 4321, gid: 8765 }, 'as before');
    t.match(statSync(join(directory, 'breakwater.yaml')), { uid: 1234, gid: 5678 }, 'new: as the directory');
    t.match(statSync(join(directory, 'ca/ca.crt')), { uid: 0 }, 'new: as its own directory');
    t.match(statSync(join(directory, 'ca/ca.key')), { uid: 0, gid: 0 });
    t.match(statSync(join(directory, 'ca/other.key')), { uid: 0, gid: 0 });
    const again = await StagedDirectory.create(directory, { uid: 1, gid: 2 });
    await again.write({ name: 'edge.key', content: 'x', isSecret: true });
    await again.publish(true);
    t.match(statSync(join(directory, 'edge.key')), { uid: 1, gid: 2 }, 'unless --owner names another one');
  },
);

t.test('files of another user', { skip: process.getuid?.() !== 0 && 'only root gives files away' }, async (t) => {
  const directory = join(temporaryFolder(t), 'site');
  const staged = await StagedDirectory.create(directory, { uid: 1234, gid: 5678 });
  await staged.write({ name: 'edge.key', content: 'x', isSecret: true });
  await staged.write({ name: 'ca/ca.key', content: 'x', isSecret: true, isPrivate: true });
  await staged.publish(false);
  t.match(statSync(join(directory, 'edge.key')), { uid: 1234, gid: 5678 });
  t.match(statSync(directory), { uid: 1234, gid: 5678 });
  t.match(statSync(join(directory, 'ca/ca.key')), { uid: 0 }, 'the service needs no CA key');
  chmodSync(directory, 0o700);
});
