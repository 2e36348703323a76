import { globSync, readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { commonTokens, declareClassPlugin, PluginKind, tokens } from '@stryker-mutator/api/plugin';
import {
  type CompleteDryRunResult,
  type DryRunOptions,
  type DryRunResult,
  DryRunStatus,
  determineHitLimitReached,
  type MutantRunOptions,
  type MutantRunResult,
  type TestResult,
  type TestRunner,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner';
import fc from 'fast-check';

type Body = (t: object) => Promise<void>;

/** What the mutated code looks at to know which mutant it is; Stryker's instrumenter names it. */
const active: {
  activeMutant?: string | undefined;
  currentTestId?: string | undefined;
  hitCount?: number | undefined;
  hitLimit?: number | undefined;
  mutantCoverage?: CompleteDryRunResult['mutantCoverage'];
} = {};
Object.assign(globalThis, { __stryker__: active, __registerTest__: register });

/** Top-level tests of the file that was imported last. */
let registered: [name: string, body: Body][] = [];
let runs = 0;
let tap: typeof import('tap');
let strays: string[] = [];
const stripped = new Map<string, string>();

function register(name: string, body: Body): void {
  registered.push([name, body]);
}

/**
 * Runs test files again and again in one process, where a process for each mutant would spend most of its time on its start. Each run
 * loads the tests and the sources anew, so that what is computed once, as they are loaded, is mutated too.
 */
class InProcessRunner implements TestRunner {
  static inject = tokens(commonTokens.options);
  readonly #files: string[];

  constructor({ testFiles }: { testFiles: string[] }) {
    this.#files = testFiles.flatMap((pattern) => globSync(pattern)).sort();
  }

  capabilities() {
    return { reloadEnvironment: true };
  }

  async init(): Promise<void> {
    await loadTap();
    catchStrayErrors();
    // The first counterexample is enough.
    fc.configureGlobal({ endOnFailure: true });
    loadAnew(resolve('.'));
  }

  async dryRun({ testFiles }: DryRunOptions): Promise<DryRunResult> {
    active.mutantCoverage = { static: {}, perTest: {} };
    const result = await this.#run(testFiles ?? this.#files, false);
    return { ...result, mutantCoverage: active.mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, disableBail }: MutantRunOptions): Promise<MutantRunResult> {
    Object.assign(active, {
      activeMutant: activeMutant.id,
      hitLimit,
      hitCount: hitLimit === undefined ? undefined : 0,
    });
    delete active.mutantCoverage;
    const result = await this.#run(testFilter ?? this.#files, !disableBail);
    return toMutantRunResult(determineHitLimitReached(active.hitCount, hitLimit) ?? result);
  }

  async #run(files: readonly string[], bail: boolean): Promise<CompleteDryRunResult> {
    const tests: TestResult[] = [];
    for (const file of files) {
      active.currentTestId = file;
      tests.push(await runFile(file, bail));
      if (bail && tests.at(-1)?.status === TestStatus.Failed) break;
    }
    return { status: DryRunStatus.Complete, tests };
  }
}

async function runFile(file: string, bail: boolean): Promise<TestResult> {
  const began = performance.now();
  const failed: string[] = [];
  registered = [];
  strays = [];
  runs += 1;
  try {
    await import(`${pathToFileURL(resolve(file))}?run=${runs}`);
    for (const [name, body] of registered) {
      if (bail && failed.length > 0) break;
      if (!(await isGood(name, body))) failed.push(name);
    }
    failed.push(...strays);
  } catch (error) {
    failed.push(`it cannot be loaded: ${error}`);
  }
  const result = { id: file, name: file, timeSpentMs: performance.now() - began };
  if (failed.length === 0) return { ...result, status: TestStatus.Success };
  return { ...result, status: TestStatus.Failed, failureMessage: failed.join('; ') };
}

async function isGood(name: string, body: Body): Promise<boolean> {
  const root = new tap.Test({ name: 'root' });
  root.resume();
  root.runMain(() => undefined);
  const result = await root.test(name, body);
  root.end();
  return result?.ok === true;
}

/** What a test left under way may fail when tap no longer listens. Of an earlier run it says nothing. */
function catchStrayErrors(): void {
  const onError = (error: unknown) => {
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    if (stack.includes(`?run=${runs}:`)) strays.push(String(error));
  };
  process.on('uncaughtException', onError);
  process.on('unhandledRejection', onError);
}

/** tap ends a process that takes long, and tells its parent when: Stryker, which is the parent here, understands no such message. */
async function loadTap(): Promise<void> {
  const { send } = process;
  process.env.TAP_TIMEOUT = '0';
  Object.assign(process, { send: undefined });
  tap = await import('tap');
  Object.assign(process, { send });
}

/** Modules below `root` are loaded once a run, and find a `tap` whose tests wait until the run takes them. */
function loadAnew(root: string): void {
  const ours = `${pathToFileURL(root)}/`;
  registerHooks({
    resolve(specifier, context, next) {
      const run = /\?run=\d+$/.exec(context.parentURL ?? '')?.[0];
      if (run !== undefined && specifier === 'tap') return { url: 'registered:tap', shortCircuit: true };
      const found = next(specifier, context);
      const anew = run !== undefined && found.url.startsWith(ours) && !found.url.includes('/node_modules/');
      return anew ? { ...found, url: `${found.url}${run}` } : found;
    },
    load(url, context, next) {
      if (url === 'registered:tap')
        return { format: 'module', source: 'export default { test: globalThis.__registerTest__ }', shortCircuit: true };
      if (!/\?run=\d+$/.test(url)) return next(url, context);
      const file = fileURLToPath(url);
      const source = stripped.get(file) ?? stripTypeScriptTypes(readFileSync(file, 'utf8'));
      stripped.set(file, source);
      return { format: 'module', source, shortCircuit: true };
    },
  });
}

export const strykerPlugins = [declareClassPlugin(PluginKind.TestRunner, 'in-process', InProcessRunner as never)];
