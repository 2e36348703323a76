import { globSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { Stryker } from '@stryker-mutator/core';

type Mutant = Awaited<ReturnType<Stryker['runMutationTest']>>[number];

/** Folders whose tests run in a moment, because they wait for nothing. */
const FOLDERS = ['oci', 'failover', 'ledger', 'splice'];
/** Percent of the mutants of a folder that its tests must notice. */
const LEAST = 85;

const { values, positionals } = parseArgs({
  options: { workers: { type: 'string', default: '2' } },
  allowPositionals: true,
});

// How long something takes says nothing of mutated code.
process.env.TEST_PATIENCE = '4';
let low = false;
for (const [folder, files] of chosen(positionals)) {
  const mutants = await mutantsOf(folder, files);
  const score = report(folder, mutants);
  low ||= score < LEAST;
}
process.exitCode = low ? 1 : 0;

/** The files to mutate, by folder. `names`: folders or files below src/; none of them: all folders. */
function chosen(names: readonly string[]): Map<string, string[]> {
  const files = new Map<string, string[]>();
  for (const name of names.length > 0 ? names : FOLDERS) {
    const path = relative('src', name.startsWith('src/') ? name : `src/${name}`);
    const [folder = ''] = path.split('/');
    const found = path.endsWith('.ts') ? [`src/${path}`] : globSync(`src/${path}/**/*.ts`);
    files.set(folder, [...(files.get(folder) ?? []), ...found]);
  }
  return files;
}

function mutantsOf(folder: string, files: string[]): Promise<Mutant[]> {
  return new Stryker({
    mutate: files,
    testRunner: 'in-process',
    testFiles: [`test/${folder}/*.test.ts`],
    plugins: [join(import.meta.dirname, 'in-process-runner.ts')],
    coverageAnalysis: 'perTest',
    concurrency: Number(values.workers),
    // Stryker ends endless loops by counting; by time it ends what waits for ever.
    timeoutMS: 10_000,
    timeoutFactor: 2,
    // Types are stripped, not checked, when a mutant runs.
    disableTypeChecks: false,
    ignorePatterns: ['*', '!src/**', '!test/**', '!package.json'],
    tempDirName: '.tap/mutation',
    reporters: ['progress-append-only'],
    testRunnerNodeArgs: ['--disable-warning=ExperimentalWarning'],
    allowConsoleColors: false,
    logLevel: 'error',
  } as never).runMutationTest();
}

/** Prints the mutants that no test noticed. @returns the score in percent */
function report(folder: string, mutants: readonly Mutant[]): number {
  const count = (...statuses: Mutant['status'][]) => mutants.filter(({ status }) => statuses.includes(status)).length;
  for (const { status, fileName, location, mutatorName, replacement } of mutants) {
    if (status !== 'Survived' && status !== 'NoCoverage') continue;
    const { line, column } = location.start;
    const place = `${relative('.', fileName)}:${line}:${column}`;
    console.log(`${place} ${status === 'NoCoverage' ? 'not run' : 'survived'} ${mutatorName}: ${replacement}`);
  }
  const noticed = count('Killed', 'Timeout');
  const all = noticed + count('Survived', 'NoCoverage');
  const score = all === 0 ? 100 : (100 * noticed) / all;
  console.log(`${folder}: ${noticed} of ${all} mutants were noticed, ${score.toFixed(1)} %`);
  return score;
}
