import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Folders below src/ whose every line and branch is run by the tests of the folder of the same name. */
export const WHOLE = ['failover', 'ledger', 'oci', 'splice'];

/** Where the processes of a suite write down what of src/ they ran. */
export const COLLECTED = '.tap/coverage';

/**
 * The environment of a process of tests that writes down what of src/ it and its children run; empty for one that does not. With
 * `COVERAGE=all` every process does, which costs about a tenth more time, else only those that a whole folder depends on.
 */
export function collection(suite: string, job: string): NodeJS.ProcessEnv {
  const whole = WHOLE.some((folder) => job === `test/${folder}`);
  if (!whole && process.env.COVERAGE !== 'all') return {};
  const collect = pathToFileURL(join(import.meta.dirname, 'collect.js'));
  return {
    COVERAGE_FOLDER: resolve(COLLECTED, suite, job),
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import=${collect}`.trim(),
    // V8 does not count the branches of functions that come out of the cache.
    NODE_DISABLE_COMPILE_CACHE: '1',
  };
}
