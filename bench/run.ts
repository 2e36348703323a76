import { loadavg, tmpdir } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findTool } from '../test/helpers/tool.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { benchMidTransfer } from './outages/mid-transfer.ts';
import { benchOutages } from './outages/outages.ts';
import { benchBlobs } from './parts/blobs.ts';
import { benchCoalescing } from './parts/coalescing.ts';
import { benchManifests } from './parts/manifests.ts';
import { benchMemory } from './parts/memory.ts';
import { benchPushLag } from './parts/push-lag.ts';
import { benchReplication } from './parts/replication.ts';
import { benchTokens } from './parts/tokens.ts';
import { describeMachine } from './report/machine.ts';
import { record } from './report/results.ts';
import { asText, hasGaps, type Section } from './report/section.ts';
import { Scope } from './scope.ts';
import type { Part } from './selection.ts';
import { makeWorkspace } from './workspace.ts';

const BENCHES: Record<Part, (scope: Scope, options: Options) => Promise<Section>> = {
  blobs: benchBlobs,
  memory: benchMemory,
  manifests: benchManifests,
  coalescing: benchCoalescing,
  tokens: benchTokens,
  replication: benchReplication,
  'push-lag': benchPushLag,
  outages: benchOutages,
  middle: benchMidTransfer,
};
const STATUS_OF_SIGNAL = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
/** Longest time in milliseconds until interrupted work notices that its processes are gone. */
const LINGER_MS = 2000;

async function main(): Promise<void> {
  const options = withoutAbsent(readOptions());
  const began = { at: new Date(), load: loadOfMinute() };
  makeWorkspace(options.mib);
  const root = new Scope();
  const problems: string[] = [];
  const work = runParts(root, options, problems);
  let stopping: Promise<void> | undefined;
  for (const [signal, status] of Object.entries(STATUS_OF_SIGNAL)) {
    process.on(signal, () => {
      stopping ??= stop(root, work, status);
    });
  }
  try {
    const sections = await work;
    await root.close();
    if (options.record) {
      await record(import.meta.dirname, sections, {
        args: process.argv.slice(2),
        began: began.at,
        ended: new Date(),
        loads: { began: began.load, ended: loadOfMinute() },
        machine: await describeMachine(),
        failures: problems,
        folders: [tmpdir(), dirname(import.meta.dirname)],
      });
    }
    if (tell(sections, problems) > 0) process.exitCode = 1;
  } catch (error) {
    // Failures after an interrupt are expected.
    await stopping;
    await root.close();
    throw error;
  }
}

function readOptions(): Options {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`);
    process.exit(2);
  }
}

/** Leaves out proxies that are not installed and names them. The run then fails, whatever the results. */
function withoutAbsent(options: Options): Options {
  const absent = options.proxies.filter((name) => name !== 'edge' && findTool(name.toLowerCase()) === undefined);
  for (const name of absent) {
    process.stderr.write(`bench: ${name} is missing and not measured; the Debian package is ${name.toLowerCase()}\n`);
    process.exitCode = 1;
  }
  return { ...options, proxies: options.proxies.filter((name) => !absent.includes(name)) };
}

function loadOfMinute(): number {
  return loadavg()[0] ?? Number.NaN;
}

/** @param problems receives parts that failed as a whole */
async function runParts(root: Scope, options: Options, problems: string[]): Promise<Section[]> {
  const sections: Section[] = [];
  for (const part of options.selection.parts) {
    const section = await root.attempt(part, problems, (scope) => BENCHES[part](scope, options));
    if (!section) continue;
    process.stdout.write(asText(section));
    if (options.details) for (const detail of section.details ?? []) process.stdout.write(`${detail}\n`);
    sections.push(section);
  }
  return sections;
}

async function stop(root: Scope, work: Promise<unknown>, status: number): Promise<void> {
  await root.close();
  await Promise.race([work.catch(() => undefined), delay(LINGER_MS)]);
  await root.close();
  process.exit(status);
}

/** @returns the number of problems */
function tell(sections: readonly Section[], failures: readonly string[]): number {
  const found = sections.flatMap((section) => [
    ...section.problems,
    ...(hasGaps(section) ? [`${section.title}: a number is missing`] : []),
  ]);
  const problems = [...failures, ...found];
  for (const problem of problems) process.stderr.write(`bench: ${problem}\n`);
  return problems.length;
}

await main();
