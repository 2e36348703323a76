import t from 'tap';
import { fileOwner } from '../../../src/cli/init/file-owner.ts';

const isRoot = process.geteuid?.() === 0;

t.test('the user that files belong to', async (t) => {
  t.equal(await fileOwner(undefined), undefined);
  const own = `${process.geteuid?.()}:${process.getegid?.()}`;
  t.strictSame(await fileOwner(own), { uid: process.geteuid?.(), gid: process.getegid?.() });
  for (const wrong of ['no-such-user', '', ':1', '1:', '1:2:3', '1:staff', '-1'])
    await t.rejects(fileOwner(wrong), { name: 'UsageError', message: /^--owner: / }, wrong);
});

t.test('root may name anyone', { skip: !isRoot && 'needs root' }, async (t) => {
  t.strictSame(await fileOwner('root'), { uid: 0, gid: 0 });
  t.strictSame(await fileOwner('1234:5678'), { uid: 1234, gid: 5678 });
  t.strictSame(await fileOwner('54321'), { uid: 54321, gid: 54321 }, 'a number without a user');
});

t.test('others may name only themselves', async (t) => {
  if (isRoot) {
    process.seteuid?.(65_534);
    t.teardown(() => process.seteuid?.(0));
  }
  await t.rejects(fileOwner('0:0'), /only root can give files/);
});
