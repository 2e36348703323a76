// npm run fuzz -- [--requests N] [--seed S] [--from SCRIPT] [--checkpoint FILE]: random requests of a whole edge.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Scope } from '../../bench/scope.ts';
import { type FuzzProgress, fuzz } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string' },
    checkpoint: { type: 'string' },
  },
});
const seed = Number(values.seed);
const wanted = Number(values.requests);
const checkpoint = values.checkpoint ?? join(tmpdir(), `breakwater-fuzz-${seed}.json`);

/** The progress of an earlier run that was interrupted. */
function before(): FuzzProgress {
  const none = { requests: 0, script: Number(values.from ?? 0), replies: {} };
  if (values.from !== undefined || !existsSync(checkpoint)) return none;
  return JSON.parse(readFileSync(checkpoint, 'utf8'));
}

const REPORT_EVERY_MS = 10_000;
const start = before();
const began = performance.now();
let reportedAt = began;

function report(done: FuzzProgress): void {
  const total = start.requests + done.requests;
  if (values.from === undefined)
    writeFileSync(checkpoint, JSON.stringify({ requests: total, script: done.script, replies: {} }));
  if (performance.now() - reportedAt < REPORT_EVERY_MS) return;
  reportedAt = performance.now();
  const rate = Math.round((1000 * done.requests) / (reportedAt - began));
  process.stdout.write(`${total} of ${wanted} requests, next script ${done.script}, ${rate} requests/s\n`);
}

const scope = new Scope();
// An exception that escapes every boundary is what this search is for.
process.on('uncaughtException', (error) => {
  process.stdout.write(`seed ${seed}: an exception escaped: ${error.stack}\n`);
  process.exit(1);
});
try {
  const done = await fuzz(scope, { seed, requests: wanted - start.requests, from: start.script, onBatch: report });
  process.stdout.write(`${start.requests + done.requests} requests, nothing found\n`);
  for (const [kind, count] of Object.entries(done.replies).sort()) process.stdout.write(`  ${kind}: ${count}\n`);
  if (values.from === undefined) rmSync(checkpoint, { force: true });
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
} finally {
  await scope.close();
}
