import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { temporaryFolder } from './helpers/temporary-folder.ts';

const root = join(import.meta.dirname, '..');
const GOOD = 'export const answer: number = 42;\n';

/** A repository with the hook, the linter's rules and one source file. */
function startRepository(t: Test) {
  const folder = temporaryFolder(t);
  // Not the repository and the settings of the commit that may be running this very test.
  const env = { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  const git = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync('git', args, { cwd: folder, env, encoding: 'utf8' });
    return { status, output: stdout + stderr };
  };
  const write = (file: string, text: string) => writeFileSync(join(folder, file), text);
  git('init', '-q');
  for (const [key, value] of Object.entries({ 'user.name': 'A', 'user.email': 'a@example.io' }))
    git('config', key, value);
  git('config', 'core.hooksPath', 'bin/hooks');
  cpSync(join(root, 'bin/hooks'), join(folder, 'bin/hooks'), { recursive: true });
  copyFileSync(join(root, 'biome.json'), join(folder, 'biome.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const name of ['tsconfig.json', 'tsconfig.page.json'])
    write(name, JSON.stringify({ compilerOptions: { noEmit: true, strict: true, types: [] }, files: ['answer.ts'] }));
  write('.gitignore', 'node_modules\n');
  write('answer.ts', GOOD);
  git('add', 'answer.ts', '.gitignore', 'biome.json');
  return { git, write, commit: () => git('commit', '-q', '-m', 'a change') };
}

t.test('what is well is committed, whatever stands beside it', async (t) => {
  const { write, commit } = startRepository(t);
  write('unfinished.ts', 'export default  1');
  t.match(commit(), { status: 0 });
});

t.test('a staged file that the linter refuses is not committed', async (t) => {
  const { git, write, commit } = startRepository(t);
  commit();
  write('answer.ts', 'export default 42;\n');
  git('add', 'answer.ts');
  t.match(commit(), { status: 1, output: /noDefaultExport[\s\S]*pre-commit: the linter refuses a staged file/ });
});

t.test('types are checked when a source is staged, and not for a document alone', async (t) => {
  const { git, write, commit } = startRepository(t);
  commit();
  write('answer.ts', "export const answer: number = 'forty-two';\n");
  git('add', 'answer.ts');
  t.match(commit(), { status: 1, output: /TS2322[\s\S]*pre-commit: the types do not fit/ });
  git('reset', '-q');
  write('page.md', '# A page\n');
  git('add', 'page.md');
  t.match(commit(), { status: 0 });
});
