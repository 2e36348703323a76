import { chownSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { UserFile } from '../../../src/cli/user/user-file.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const HASH = `$2b$04$${'a'.repeat(53)}`;
const OTHER = `$2b$04$${'b'.repeat(53)}`;

t.test('users come, change and go; the rest of the file stays', async (t) => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'users');
  const file = new UserFile(path);
  t.strictSame(await file.names(), [], 'a file that is not there has none');
  t.equal(await file.set('ann', HASH), false);
  t.equal(statSync(path).mode & 0o777, 0o600, 'nobody else reads hashes');
  writeFileSync(path, `# ours\nann:${HASH}\n\nannette:${HASH}\n`);
  t.equal(await file.set('ann', OTHER), true);
  t.equal(await file.set('bob', HASH), false);
  t.equal(readFileSync(path, 'utf8'), `# ours\nann:${OTHER}\n\nannette:${HASH}\nbob:${HASH}\n`);
  t.strictSame(await file.names(), ['ann', 'annette', 'bob']);
  t.equal(await file.remove('ann'), true);
  t.equal(await file.remove('ann'), false);
  t.strictSame(await file.names(), ['annette', 'bob']);
  t.strictSame(readdirSync(folder), ['users'], 'nothing is left beside it');
});

t.test('mode and owner stay, and a link stays a link', async (t) => {
  const folder = temporaryFolder(t);
  const [path, link] = [join(folder, 'users'), join(folder, 'link')];
  writeFileSync(path, `ann:${HASH}\n`, { mode: 0o640 });
  const root = process.geteuid?.() === 0;
  if (root) chownSync(path, 1000, 1001);
  symlinkSync('users', link);
  await new UserFile(link).set('bob', HASH);
  t.strictSame(await new UserFile(path).names(), ['ann', 'bob']);
  const { mode, uid, gid } = statSync(path);
  t.equal(mode & 0o777, 0o640);
  if (root) t.strictSame([uid, gid], [1000, 1001], 'the edge can go on reading it');
});

t.test('what cannot be read or written is said', async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, 'users'), 'ann:$apr1$old\n');
  await t.rejects(new UserFile(join(folder, 'users')).names(), { message: /line 1: the password of ann/ });
  await t.rejects(new UserFile(folder).names(), { message: /cannot be read/ });
  await t.rejects(new UserFile(join(folder, 'none', 'users')).set('ann', HASH), { message: /cannot be written/ });
});
