import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { type Finished, tryCommand } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

interface Run {
  /** By test file: what it writes, or where it needs more the whole script. */
  tests: Record<string, string>;
  args?: string[];
  lintStatus?: number;
  typesStatus?: number;
  /** By file below src/: what is in it. */
  sources?: Record<string, string>;
  /** What bin/real-parts could not install. */
  missing?: string;
  ci?: boolean;
  env?: NodeJS.ProcessEnv;
}

/** bin/test in a checkout of its own, with tests and tools that are played by scripts. */
function run(
  t: Test,
  { tests, args = [], lintStatus = 0, typesStatus = 0, sources = {}, missing = '', ci = false, env: more = {} }: Run,
): Promise<Finished> {
  const checkout = temporaryFolder(t);
  const write = (path: string, text: string, mode = 0o644) => {
    mkdirSync(join(checkout, dirname(path)), { recursive: true });
    writeFileSync(join(checkout, path), text, { mode });
  };
  const root = join(import.meta.dirname, '../..');
  const helpers = ['command-line', 'time-limit', 'tool'].map((name) => `test/helpers/${name}.ts`);
  for (const part of ['bin/test', 'test/coverage', 'test/runner', ...helpers])
    cpSync(join(root, part), join(checkout, part), {
      recursive: true,
      filter: (source) => !source.endsWith('.test.ts'),
    });
  write('package.json', '{ "type": "module" }');
  for (const [name, text] of Object.entries(tests))
    write(`test/${name}`, text.startsWith('TAP') ? `console.log(${JSON.stringify(text)});` : text);
  for (const [name, text] of Object.entries(sources)) write(`src/${name}`, text);
  write('bin/real-parts', `#!/bin/sh\necho "$*" >asked\n${missing && `echo ${missing}`}\n`, 0o755);
  write('node_modules/.bin/biome', `#!/bin/sh\nexit ${lintStatus}\n`, 0o755);
  write('node_modules/.bin/tsc', `#!/bin/sh\nexit ${typesStatus}\n`, 0o755);
  symlinkSync(process.execPath, join(checkout, 'node_modules/.bin/node'));
  for (const name of ['@bcoe', 'acorn', 'ast-v8-to-istanbul', 'istanbul-lib-coverage'])
    symlinkSync(join(root, 'node_modules', name), join(checkout, 'node_modules', name));
  const env = { PATH: '/usr/bin:/bin', ...(ci ? { CI: 'true' } : {}), ...more };
  return tryCommand(join(checkout, 'bin/test'), args, { env });
}

const lastLine = ({ stdout }: Finished) => stdout.trimEnd().split('\n').at(-1);
const GOOD = 'TAP version 14\n# { total: 5, pass: 5 }\n# time=3ms';
const BAD = 'TAP version 14\nnot ok 1 - one and one\n  ---\n  found: 3\n  ...\n# { total: 5, pass: 3, fail: 2 }';
const SKIPPED = 'TAP version 14\n    ok 2 - one # SKIP not installed: podman\n# { total: 5, pass: 4, skip: 1 }';

t.test('the last line counts what ran: every file, lint and both kinds of types', async (t) => {
  const all = await run(t, { tests: { 'a.test.ts': GOOD, 'e2e/b.test.ts': GOOD } });
  t.equal(all.status, 0, all.output);
  t.equal(lastLine(all), '13 passed, 0 failed');
  const failed = await run(t, { tests: { 'a.test.ts': GOOD, 'e2e/b.test.ts': `${BAD}\n` } });
  t.not(failed.status, 0);
  t.equal(lastLine(failed), '11 passed, 2 failed');
  t.match(failed.output, /FAILED test\/e2e\/b\.test\.ts[\s\S]*not ok 1 - one and one\n[\s\S]*found: 3/, 'with why');
});

t.test('the files of a folder share a process, one after the other', async (t) => {
  const half = (n: number) =>
    `globalThis.seen = (globalThis.seen ?? 0) + ${n}; if (seen === 3) console.log('# { total: 3, pass: 3 }');`;
  const shared = await run(t, { tests: { 'oci/a.test.ts': half(1), 'oci/b.test.ts': half(2) } });
  t.equal(lastLine(shared), '6 passed, 0 failed', shared.output);
  const broken = await run(t, { tests: { 'oci/a.test.ts': GOOD, 'oci/b.test.ts': 'throw new Error("broken");' } });
  t.equal(lastLine(broken), '8 passed, 1 failed', 'one that cannot be loaded is a failure');
});

t.test('lint and types count', async (t) => {
  const noLint = await run(t, { tests: { 'a.test.ts': GOOD }, lintStatus: 1 });
  t.not(noLint.status, 0);
  t.equal(lastLine(noLint), '7 passed, 1 failed');
  const noTypes = await run(t, { tests: { 'a.test.ts': GOOD }, typesStatus: 2 });
  t.not(noTypes.status, 0);
  t.equal(lastLine(noTypes), '6 passed, 2 failed', 'those of the page are apart');
});

t.test('a file that counted nothing, or that died, is a failure', async (t) => {
  const nothing = await run(t, { tests: { 'a.test.ts': 'TAP version 14' } });
  t.not(nothing.status, 0);
  t.equal(lastLine(nothing), '3 passed, 1 failed');
  const died = await run(t, { tests: { 'a.test.ts': `console.log(${JSON.stringify(GOOD)}); process.exitCode = 3;` } });
  t.not(died.status, 0);
  t.equal(lastLine(died), '8 passed, 1 failed');
  t.match(died.output, /it ended with 3/);
});

t.test('a file that hangs is ended', async (t) => {
  const tests = { 'a.test.ts': `console.log(${JSON.stringify(GOOD)}); setInterval(() => {}, 1000);` };
  const hung = await run(t, { tests, args: ['test/a.test.ts'], env: { TEST_PATIENCE: '0.003' } });
  t.not(hung.status, 0);
  t.match(lastLine(hung), / 1 failed$/);
  t.match(hung.output, /it said nothing for 1\.8 s/);
});

t.test('what is left out is named; with CI=true it is a failure', async (t) => {
  const here = await run(t, { tests: { 'a.test.ts': SKIPPED }, missing: 'podman' });
  t.equal(here.status, 0);
  t.equal(lastLine(here), '7 passed, 0 failed, 1 skipped');
  t.match(here.output, /leaving out .*: podman/);
  t.match(here.output, /one: +not installed: podman/, 'with the reason');
  for (const lacking of [{ tests: { 'a.test.ts': SKIPPED } }, { tests: { 'a.test.ts': GOOD }, missing: 'podman' }]) {
    const strict = await run(t, { ...lacking, ci: true });
    t.not(strict.status, 0);
    t.match(lastLine(strict), / 1 failed/);
  }
});

t.test('files can be named, and are all that runs', async (t) => {
  const tests = { 'a.test.ts': GOOD, 'b.test.ts': BAD };
  const one = await run(t, { tests, args: ['test/a.test.ts'] });
  t.equal(lastLine(one), '5 passed, 0 failed', one.output);
  const none = await run(t, { tests, args: ['test/c.test.ts'] });
  t.equal(lastLine(none), '0 passed, 1 failed', 'one that is not there is a failure');
});

t.test('suites', async (t) => {
  const says = (n: number) => `TAP version 14\n# { total: ${n}, pass: ${n} }`;
  const counts = (variable: string, value: string, [without, withIt]: [number, number]) =>
    `console.log(process.env.${variable} === '${value}' ? '# { total: 1, pass: ${withIt} }' : '# { total: 1, pass: ${without} }');`;
  const tests = {
    'oci/a.test.ts': says(1),
    'proxy/a.test.ts': says(10),
    'e2e/pull.test.ts': counts('TEST_CLIENTS', 'all', [100, 200]),
    'e2e/b.site.test.ts': says(1000),
    'long/a.test.ts': counts('TEST_RUNS', '1', [10_000, 20_000]),
    'smoke/a.test.ts': says(100_000),
  };
  const expectations: Record<string, string> = {
    main: '110114 passed, 0 failed',
    site: '1200 passed, 0 failed',
    fast: '100004 passed, 0 failed',
    long: '120114 passed, 0 failed',
  };
  for (const [suite, expected] of Object.entries(expectations)) {
    const finished = await run(t, { tests, args: ['--suite', suite] });
    t.equal(lastLine(finished), expected, `${suite}: ${finished.output}`);
  }
  t.not((await run(t, { tests, args: ['--suite', 'slow'] })).status, 0, 'there is no other');
});

t.test('a line or a branch of a pure folder that its tests do not run is a failure', async (t) => {
  const test = `import { sign } from '../../src/oci/sign.ts'; sign(-1); sign(0); console.log('# { total: 1, pass: 1 }');`;
  const tests = { 'oci/a.test.ts': test };
  const sign = (more: string) => ({
    'oci/sign.ts': `export function sign(n: number): string {\n  if (n < 0) return '-';\n${more}  return '+';\n}\n`,
    'oci/types.ts': 'export interface Never {\n  loaded: true;\n}\n',
  });
  const whole = await run(t, { tests, sources: sign('') });
  t.equal(lastLine(whole), '4 passed, 0 failed', whole.output);
  t.match(whole.stdout, 'coverage of src/oci: 100 % of lines and 100 % of branches');
  const part = await run(t, { tests, sources: sign("  if (n > 0) {\n    return 'more';\n  }\n") });
  t.not(part.status, 0);
  t.equal(lastLine(part), '4 passed, 1 failed', part.output);
  t.match(part.stdout, /src\/oci\/sign\.ts:4 is not run\n.*src\/oci\/sign\.ts:3 has a branch that is never taken/);
  const unloaded = await run(t, { tests, sources: { ...sign(''), 'oci/b.ts': 'export const two = 1 + 1;\n' } });
  t.match(unloaded.stdout, /src\/oci\/b\.ts:1 is not run/);
  t.equal(lastLine(unloaded), '4 passed, 1 failed', 'a file that no test loads counts too');
});
