import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Finished, tryCommand } from './helpers/command.ts';
import { temporaryFolder } from './helpers/temporary-folder.ts';

interface Run {
  /** What tap would have written. */
  tap?: string;
  tapStatus?: number;
  lintStatus?: number;
  typesStatus?: number;
  missing?: string;
  ci?: boolean;
}

/** bin/test with every tool played by a script. */
function run(
  t: Test,
  { tap = '', tapStatus = 0, lintStatus = 0, typesStatus = 0, missing = '', ci = false }: Run,
): Promise<Finished> {
  const checkout = temporaryFolder(t);
  const script = (path: string, text: string) =>
    writeFileSync(join(checkout, path), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  mkdirSync(join(checkout, 'bin'));
  mkdirSync(join(checkout, 'node_modules/.bin'), { recursive: true });
  copyFileSync(join(import.meta.dirname, '../bin/test'), join(checkout, 'bin/test'));
  writeFileSync(join(checkout, 'made.tap'), tap);
  script('bin/real-parts', missing && `echo ${missing}`);
  script('node_modules/.bin/biome', `exit ${lintStatus}`);
  script('node_modules/.bin/tsc', `exit ${typesStatus}`);
  script(
    'node_modules/.bin/tap',
    `for word; do case $word in --output-file=*) cp made.tap "\${word#*=}" ;; esac; done\nexit ${tapStatus}`,
  );
  const env = { PATH: '/usr/bin:/bin', ...(ci ? { CI: 'true' } : {}) };
  return tryCommand(join(checkout, 'bin/test'), [], { env });
}

const lastLine = ({ stdout }: Finished) => stdout.trimEnd().split('\n').at(-1);
const good = 'TAP version 14\n# { total: 5, pass: 5 }\n# time=3ms\n';
const skipped = 'TAP version 14\n    ok 2 - one # SKIP not installed: podman\n# { total: 5, pass: 4, skip: 1 }\n';

t.test('the last line counts what ran', async (t) => {
  const all = await run(t, { tap: good });
  t.equal(all.status, 0);
  t.equal(lastLine(all), '7 passed, 0 failed', 'five assertions, lint and types');
  const failed = await run(t, { tap: '# { total: 5, pass: 3, fail: 2 }\n', tapStatus: 1 });
  t.not(failed.status, 0);
  t.equal(lastLine(failed), '5 passed, 2 failed');
});

t.test('lint and types count', async (t) => {
  for (const broken of [{ lintStatus: 1 }, { typesStatus: 2 }]) {
    const finished = await run(t, { tap: good, ...broken });
    t.not(finished.status, 0);
    t.equal(lastLine(finished), '6 passed, 1 failed');
  }
});

t.test('a run that counted nothing, or that died, is a failure', async (t) => {
  const nothing = await run(t, { tap: 'TAP version 14\n' });
  t.not(nothing.status, 0);
  t.equal(lastLine(nothing), '2 passed, 1 failed');
  const died = await run(t, { tap: good, tapStatus: 1 });
  t.not(died.status, 0);
  t.equal(lastLine(died), '7 passed, 1 failed');
});

t.test('what is left out is named; with CI=true it is a failure', async (t) => {
  const here = await run(t, { tap: skipped, missing: 'podman' });
  t.equal(here.status, 0);
  t.equal(lastLine(here), '6 passed, 0 failed, 1 skipped');
  t.match(here.output, /leaving out .*: podman/);
  t.match(here.output, /one: +not installed: podman/, 'with the reason');
  for (const lacking of [{ tap: skipped }, { tap: good, missing: 'podman' }]) {
    const strict = await run(t, { ...lacking, ci: true });
    t.not(strict.status, 0);
    t.match(lastLine(strict), / 1 failed/);
  }
});
