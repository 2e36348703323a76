import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { COLLECTED, collection } from '../coverage/collection.ts';
import { wholeFolders } from '../coverage/summary.ts';
import { type Job, type Result, runJob } from './job.ts';
import { runInLanes } from './lanes.ts';
import { reportAll, reportResult, sumOf } from './report.ts';
import { jobOf, jobsOf, SUITES, type Suite } from './suite.ts';

// `node test/runner/run.ts [--suite NAME] [FILE...]`, in the root of the checkout; bin/test starts it.
const { values, positionals: files } = parseArgs({
  // bin/test has seen to `--watch`.
  options: { suite: { type: 'string', default: 'main' }, watch: { type: 'boolean' } },
  allowPositionals: true,
});
const suite = SUITES.find((name) => name === values.suite);
if (suite === undefined) throw new Error(`there is no suite ${values.suite}, only ${SUITES.join(', ')}`);
process.exitCode = (await runTests(suite, files)) ? 0 : 1;

async function runTests(suite: Suite, files: readonly string[]): Promise<boolean> {
  const began = performance.now();
  const missing = suite === 'fast' ? [] : installParts(suite);
  if (missing.length > 0) console.error(`bin/test: leaving out the tests that need: ${missing.join(' ')}`);
  if (files.length === 0) rmSync(join(COLLECTED, suite), { recursive: true, force: true });
  const results = await runInLanes(
    files.length > 0 ? files.map(jobOf) : jobsOf(suite),
    // What waits for real programs takes a part of a core.
    { cpu: availableParallelism(), real: availableParallelism(), timed: 1 },
    (job) =>
      runAndTell(job, { ...environment(suite), ...(job.tap && files.length === 0 ? collection(suite, job.name) : {}) }),
  );
  const counts = sumOf(results);
  if (process.env.CI === 'true' && (missing.length > 0 || counts.skipped > 0)) {
    console.error('bin/test: with CI=true nothing may be left out');
    counts.failed += 1;
  }
  if (files.length === 0 && suite !== 'site') counts.failed += await tellCoverage(suite);
  console.log(reportAll(results, counts, (performance.now() - began) / 1000));
  return counts.failed === 0;
}

async function runAndTell(job: Job, env: NodeJS.ProcessEnv): Promise<Result> {
  const result = await runJob(job, '.tap/results', env);
  console.log(reportResult(result));
  return result;
}

/** Prints the coverage of the folders that are to be whole. @returns how many are not */
async function tellCoverage(suite: Suite): Promise<number> {
  const folders = await wholeFolders(suite);
  for (const { text, missing } of folders) console.log([`coverage of ${text}`, ...missing].join('\n  '));
  return folders.filter(({ missing }) => missing.length > 0).length;
}

/** Installs the programs that tests drive. @returns those that cannot be had */
function installParts(suite: Suite): string[] {
  const names = execFileSync('bin/real-parts', suite === 'site' ? ['site'] : [], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return names.split('\n').filter(Boolean);
}

function environment(suite: Suite): NodeJS.ProcessEnv {
  return {
    ...process.env,
    // Most of these tests start Node, and most of its start is reading the same files.
    NODE_COMPILE_CACHE: join(process.cwd(), '.tap/compile-cache'),
    // The runner ends what hangs: how long all tests of a process take says nothing.
    TAP_TIMEOUT: '0',
    ...(suite === 'long' ? { TEST_RUNS: '1' } : {}),
    ...(suite === 'site' ? { TEST_CLIENTS: 'all' } : {}),
  };
}
