// npm run fuzz -- [--mode MODE] [--requests N] [--seed S] [--from SCRIPT] [--checkpoint FILE]: random requests of a whole edge.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Scope } from '../../bench/scope.ts';
import { type FuzzProgress, fuzz } from './fuzz.ts';
import { FUZZ_MODES, type FuzzMode } from './fuzz-site.ts';

const { values } = parseArgs({
  options: {
    mode: { type: 'string' },
    requests: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string' },
    checkpoint: { type: 'string' },
  },
});
const seed = Number(values.seed);
const modes = FUZZ_MODES.filter((mode) => values.mode === undefined || mode === values.mode);
if (modes.length === 0) throw new Error(`--mode is one of ${FUZZ_MODES.join(', ')}`);
/** Of each mode. */
const wanted = Math.ceil(Number(values.requests) / modes.length);

const REPORT_EVERY_MS = 10_000;

/** The progress of an earlier run that was interrupted. */
function before(checkpoint: string): FuzzProgress {
  const none = { requests: 0, script: Number(values.from ?? 0), replies: {} };
  if (values.from !== undefined || !existsSync(checkpoint)) return none;
  return JSON.parse(readFileSync(checkpoint, 'utf8'));
}

/** Makes the requests of one mode. @throws FuzzFinding */
async function run(mode: FuzzMode): Promise<void> {
  const checkpoint = `${values.checkpoint ?? join(tmpdir(), `breakwater-fuzz-${seed}`)}-${mode}.json`;
  const start = before(checkpoint);
  const began = performance.now();
  let reportedAt = began;
  const onBatch = (done: FuzzProgress) => {
    const total = start.requests + done.requests;
    if (values.from === undefined)
      writeFileSync(checkpoint, JSON.stringify({ requests: total, script: done.script, replies: {} }));
    if (performance.now() - reportedAt < REPORT_EVERY_MS) return;
    reportedAt = performance.now();
    const rate = Math.round((1000 * done.requests) / (reportedAt - began));
    process.stdout.write(`${mode}: ${total} of ${wanted} requests, next script ${done.script}, ${rate} requests/s\n`);
  };
  const scope = new Scope();
  try {
    const done = await fuzz(scope, { mode, seed, requests: wanted - start.requests, from: start.script, onBatch });
    process.stdout.write(`${mode}: ${start.requests + done.requests} requests, nothing found\n`);
    for (const [kind, count] of Object.entries(done.replies).sort()) process.stdout.write(`  ${kind}: ${count}\n`);
    if (values.from === undefined) rmSync(checkpoint, { force: true });
  } finally {
    await scope.close();
  }
}

// An exception that escapes every boundary is what this search is for.
process.on('uncaughtException', (error) => {
  process.stdout.write(`seed ${seed}: an exception escaped: ${error.stack}\n`);
  process.exit(1);
});
try {
  for (const mode of modes) await run(mode);
} catch (error) {
  process.stdout.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
