import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { command, tryCommand } from '../../helpers/command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const prune = join(import.meta.dirname, '../../../deploy/image/prune-modules');

t.test('what runs and the licences stay, everything else goes', async (t) => {
  const folder = temporaryFolder(t);
  const stay = [
    ...['a/package.json', 'a/index.js', 'a/lib/testing.mjs', 'a/LICENSE.md', 'a/src/source.cjs', '.package-lock.json'],
    ...['@b/c/NOTICE.md', '@b/c/licence', '@b/c/node_modules/d/index.js', 'bcrypt/prebuilds/linux-x64/bcrypt.node'],
  ];
  const go = [
    ...[
      'a/index.d.ts',
      'a/index.js.map',
      'a/README.md',
      'a/test/index.js',
      'a/docs/x.js',
      '@b/c/node_modules/d/tests/x',
    ],
    ...['bcrypt/prebuilds/linux-arm64/bcrypt.node', 'bcrypt/prebuilds/win32-x64/bcrypt.node', 'bcrypt/binding.gyp'],
    ...['bcrypt/Dockerfile-alpine', 'headers-only/napi.h', '.bin/node-gyp-build'],
  ];
  for (const name of [...stay, ...go]) {
    mkdirSync(join(folder, dirname(name)), { recursive: true });
    writeFileSync(join(folder, name), '');
  }
  await command(prune, [folder, 'linux-x64']);
  const left = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = left
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name).slice(folder.length + 1));
  t.strictSame(files.sort(), stay.sort());
  t.notOk(
    left.some((one) => one.name === 'headers-only'),
    'no empty folder is left',
  );
});

t.test('without a folder it says how it is used', async (t) => {
  t.equal((await tryCommand(prune, [])).status, 2);
  t.not((await tryCommand(prune, ['/nowhere'])).status, 0);
});
