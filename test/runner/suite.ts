import { globSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Job } from './job.ts';

/**
 * `main`: every test for which Debian's programs are enough. `site`: programs that must be built, sites of several hosts, and
 * all that takes long. `fast`: what can be run at every change. `long`: `main`, with every run of every property.
 */
export const SUITES = ['main', 'site', 'fast', 'long'] as const;
export type Suite = (typeof SUITES)[number];

/** What runs at every change: folders without I/O, and a pull through a real edge. */
const FAST = /^test\/(oci|failover|config|ledger|splice|smoke)\//;
const SITE = /\.site\.test\.ts$/;
/** In no suite: what measures must have the machine to itself (`npm run test:cpu`). */
const ALONE = /\.alone\.test\.ts$/;
/** Part of both suites: with the clients of Debian in `main`, with all of them in `site`. */
const BOTH = /^test\/(e2e\/pull|scenarios\/frozen)\.test\.ts$/;

/** Tests that mostly wait for real programs: a process a file, in a lane beside the others. */
const REAL =
  /^test\/(access|cli\/lab|deploy\/(keepalived|kubernetes)|e2e|nodes|outages|packaging|quickstart|scenarios)\//;

/** Tests of what must have happened within a second or two, with many processes. */
const TIMED = /^test\/deploy\/keepalived\/.*\.site\.test\.ts$/;

/** The longest ones start first, so that no core is idle at the end. */
const FIRST = ['proxy/pull', 'app', 'proxy/push', 'proxy/request', 'replication', 'cli/serve', 'cli/sync'].map(
  (name) => `test/${name}`,
);

const CHECKS: Job[] = [
  { name: 'lint', command: ['biome', 'check', '--colors=off'], lane: 'cpu', tap: false },
  { name: 'types', command: ['tsc', '-p', 'tsconfig.json'], lane: 'cpu', tap: false },
  { name: 'types of the page', command: ['tsc', '-p', 'tsconfig.page.json'], lane: 'cpu', tap: false },
];

/** Which processes a suite is made of, in the order in which they start. */
export function jobsOf(suite: Suite): Job[] {
  const files = filesOf('test/**', suite);
  const folders = new Set(files.filter((file) => !REAL.test(file)).map((file) => dirname(file)));
  const sorted = [...FIRST.filter((folder) => folders.has(folder)), ...folders];
  return [
    ...files.filter((file) => REAL.test(file)).map(jobOf),
    ...(suite === 'site' ? [] : CHECKS),
    ...[...new Set(sorted)].map((folder) => jobOfFolder(folder, suite)),
  ];
}

/** A process for a file alone. */
export function jobOf(file: string): Job {
  return { name: file, command: [process.execPath, file], lane: laneOf(file), tap: true };
}

function laneOf(file: string): Job['lane'] {
  if (TIMED.test(file)) return 'timed';
  return REAL.test(file) ? 'real' : 'cpu';
}

/** A process for the files of a folder: to start Node and to load its modules costs more than most tests. */
function jobOfFolder(folder: string, suite: Suite): Job {
  return { name: folder, command: [process.execPath, 'test/runner/folder.ts', folder, suite], lane: 'cpu', tap: true };
}

/** The test files of a suite that lie in a folder, given as a pattern. */
export function filesOf(folder: string, suite: Suite): string[] {
  return globSync(`${folder}/*.test.ts`)
    .sort()
    .filter((file) => isPartOf(suite, file));
}

function isPartOf(suite: Suite, file: string): boolean {
  if (ALONE.test(file)) return false;
  if (suite === 'site') return SITE.test(file) || BOTH.test(file);
  return suite === 'fast' ? FAST.test(file) : !SITE.test(file);
}
