import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Finished, tryCommand } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

/** .ci/run with an npm that runs one of these scripts a suite. */
function run(t: Test, suites: { main: string; site: string; coverage?: string; cpu?: string }): Promise<Finished> {
  const checkout = temporaryFolder(t);
  for (const folder of ['.ci', 'fake']) mkdirSync(join(checkout, folder));
  copyFileSync(join(import.meta.dirname, '../../.ci/run'), join(checkout, '.ci/run'));
  const { main, site, coverage = 'echo 90 %', cpu = 'echo "1 passed, 0 failed"' } = suites;
  const script = `#!/bin/sh\n[ "$CI$COVERAGE" = trueall ] || exit 9\ncase $* in\n*coverage) ${coverage} ;;\n*test:site) ${site} ;;\n*test:cpu) ${cpu} ;;\n*) ${main} ;;\nesac\n`;
  writeFileSync(join(checkout, 'fake/npm'), script, { mode: 0o755 });
  return tryCommand(join(checkout, '.ci/run'), [], { env: { PATH: `${join(checkout, 'fake')}:/usr/bin:/bin` } });
}

const lastLine = ({ stdout }: Finished) => stdout.trimEnd().split('\n').at(-1);

t.test('both suites are run, and added up in the last line', async (t) => {
  const good = await run(t, { main: 'echo first; echo "5 passed, 0 failed"', site: 'echo "7 passed, 0 failed"' });
  t.equal(good.status, 0, good.output);
  t.equal(lastLine(good), '14 passed, 0 failed', 'coverage counts as one');
  t.match(good.stdout, /^first$/m, 'with all that they say');
});

t.test('what fails in one of them fails the whole', async (t) => {
  const good = 'echo "7 passed, 0 failed"';
  const cases = {
    'echo "5 passed, 2 failed"; exit 1': '14 passed, 2 failed',
    'echo "5 passed, 0 failed"; exit 1': '14 passed, 1 failed',
    'echo "it broke"; exit 1': '9 passed, 1 failed',
    'exit 0': '9 passed, 1 failed',
  };
  for (const [bad, expected] of Object.entries(cases))
    for (const suites of [
      { main: bad, site: good },
      { main: good, site: bad },
    ]) {
      const finished = await run(t, suites);
      t.not(finished.status, 0, bad);
      t.equal(lastLine(finished), expected, bad);
    }
});

t.test('a manifest that costs more fails the whole', async (t) => {
  const good = 'echo "7 passed, 0 failed"';
  const dearer = await run(t, { main: good, site: good, cpu: 'echo "0 passed, 1 failed"; exit 1' });
  t.not(dearer.status, 0);
  t.equal(lastLine(dearer), '15 passed, 1 failed');
});

t.test('coverage that fell fails the whole', async (t) => {
  const good = 'echo "7 passed, 0 failed"';
  const fell = await run(t, { main: good, site: good, coverage: 'echo "LESS THAN 90 %"; exit 1' });
  t.not(fell.status, 0);
  t.equal(lastLine(fell), '15 passed, 1 failed');
  t.match(fell.stdout, 'LESS THAN 90 %');
});
