import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { command, tryCommand } from './helpers/command.ts';
import { isRelative, parsePage, targetOf } from './helpers/markdown.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';

const root = join(import.meta.dirname, '..');
// npm from the system, whatever Node it runs on; the pinned Node is not on it.
const path = (process.env.PATH ?? '').split(':').filter((folder) => !folder.includes('node_modules'));

/** A copy to build in, so that tests beside this one do not see dist/ come and go. */
function copyCheckout(t: Test): string {
  const copy = temporaryFolder(t);
  const parts = [
    'bin',
    'src',
    'config',
    'deploy',
    'docker-compose.yml',
    'docs',
    'nginx-compat',
    'bench/RESULTS.md',
    'bench/results.json',
    'bench/blobs.svg',
    'bench/outages.svg',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'CODE_OF_CONDUCT.md',
    'SECURITY.md',
    'CHANGELOG.md',
    'LICENSE',
  ];
  for (const part of parts.filter((one) => existsSync(join(root, one))))
    cpSync(join(root, part), join(copy, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

/** Installs a packed package as npm would, beside what it depends on. Returns the path of its command. */
function install(t: Test, archive: string): string {
  const modules = join(temporaryFolder(t), 'node_modules');
  mkdirSync(join(modules, '.bin'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules')))
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  execFileSync('tar', ['-xzf', archive, '-C', modules]);
  execFileSync('mv', [join(modules, 'package'), join(modules, 'breakwater')]);
  symlinkSync('../breakwater/bin/breakwater', join(modules, '.bin/breakwater'));
  return join(modules, '.bin/breakwater');
}

t.test('what npm run build makes can be published, installed and run', async (t) => {
  const copy = copyCheckout(t);
  const env = { ...process.env, PATH: path.join(':') };
  // The compiler wants two cores for itself: 5 s of CPU, but 80 s beside much other work.
  await command('npm', ['run', 'build'], { cwd: copy, env, timeout: 240_000 });
  const packed = await command('npm', ['pack', '--json', '--ignore-scripts'], { cwd: copy, env });
  const [{ filename, files }]: [{ filename: string; files: { path: string }[] }] = JSON.parse(packed.stdout);
  const names = files.map((file) => file.path);
  for (const needed of [
    'bin/breakwater',
    'dist/cli/main.js',
    'dist/status/page/page.js',
    'dist/status/page/page.css',
    'package.json',
  ])
    t.ok(names.includes(needed), `${needed} is in the package`);
  t.notOk(
    names.some((name) => /^(src|test|bench\/.*\.ts$|\.)|\.tap|(^|\/)(setup|real-parts)$/.test(name)),
    'and nothing that only a checkout needs',
  );
  for (const file of names.filter((name) => name.endsWith('.md')))
    for (const link of parsePage(file, readFileSync(join(copy, file), 'utf8')).links.filter(isRelative)) {
      const { path } = targetOf(file, link);
      t.ok(
        names.some((name) => name === path || name.startsWith(`${path}/`)),
        `${file}: ${link} is in the package`,
      );
    }

  const breakwater = install(t, join(copy, filename));
  // Neither npm nor any Node on the PATH: the pinned one comes with the package.
  const elsewhere = { cwd: temporaryFolder(t), env: { PATH: '/usr/bin:/bin' } };
  const version = await command(breakwater, ['--version'], elsewhere);
  t.equal(version.stdout.trim(), JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version);
  t.match(
    (await command(breakwater, ['--help'], elsewhere)).stdout,
    /serve.*\n[\s\S]*explain/,
    'the commands are there',
  );

  writeFileSync(join(elsewhere.cwd, 'breakwater.yaml'), 'hostname: cr.example.io\nnonsense: 1\n');
  const refused = await tryCommand(breakwater, [], elsewhere);
  t.equal(refused.status, 2, 'without arguments it serves the breakwater.yaml that stands there');
  t.match(refused.output, /nonsense/, 'or says what is wrong with it');
  t.ok(dirname(breakwater).endsWith('.bin'));
});
