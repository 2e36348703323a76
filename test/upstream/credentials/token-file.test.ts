import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { TokenFile } from '../../../src/upstream/credentials/token-file.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

t.test('a new token is taken at the second look', async (t) => {
  const file = join(temporaryFolder(t), 'token');
  writeFileSync(file, 'one\n');
  const tokens = new TokenFile(file, 'user');
  t.strictSame(await tokens.read(), { username: 'user', password: 'one' }, 'the first one at once');
  writeFileSync(file, 'tw');
  t.match(await tokens.read(), { password: 'one' }, 'it may be half-written');
  writeFileSync(file, 'two');
  t.match(await tokens.read(), { password: 'one' }, 'it was');
  t.match(await tokens.read(), { password: 'two' });
});

t.test('renames and the swap of a link are followed', async (t) => {
  const folder = temporaryFolder(t);
  for (const name of ['v1', 'v2']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'token'), name);
  }
  symlinkSync('v1', join(folder, '..data'));
  symlinkSync('..data/token', join(folder, 'token'));
  const tokens = new TokenFile(join(folder, 'token'), 'user');
  t.match(await tokens.read(), { password: 'v1' });
  symlinkSync('v2', join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  await tokens.read();
  t.match(await tokens.read(), { password: 'v2' });
});

t.test('what is no token is an error with the name of the file, and without its content', async (t) => {
  const file = join(temporaryFolder(t), 'token');
  const tokens = new TokenFile(file, 'user');
  for (const content of ['', '\n', 'hunter2 with spaces', 'hunter2\nhunter3\n', 'hunter2\0', 'x'.repeat(70_000)]) {
    writeFileSync(file, content);
    const error = await tokens.read().catch((one: Error) => one);
    t.match(error, { message: /^the token file \S+\/token holds no token; expected one line of ASCII$/ });
  }
  rmSync(file);
  await t.rejects(tokens.read(), { message: /token does not exist$/ });
  mkdirSync(file);
  await t.rejects(tokens.read(), { message: /token is a folder$/ });
  rmSync(file, { recursive: true });
  writeFileSync(file, 'good');
  chmodSync(file, 0o600);
  t.match(await tokens.read(), { password: 'good' });
});
