// Measures the CPU time of a manifest through the edge as a multiple of a constant answer. With `--record` the result is written to
// bench/cpu-guard.json, with the commit that test/bench/cpu-guard.alone.test.ts measures beside every later program. Record on a quiet
// machine, and with everything committed.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../../test/helpers/command.ts';
import { describeMachine } from '../report/machine.ts';
import { Scope } from '../scope.ts';
import { type Costs, CpuGuard, noiseOf, ratiosOf } from './cpu-guard.ts';

const ROUNDS = 200;
const FILE = join(import.meta.dirname, '../cpu-guard.json');

const scope = new Scope();
try {
  const guard = await CpuGuard.start(scope);
  await guard.warmUp();
  const rounds: Costs[] = [];
  while (rounds.length < ROUNDS) rounds.push(await guard.round());
  const { tag, digest } = ratiosOf(rounds);
  const ratios = { tag: Number(tag.toFixed(2)), digest: Number(digest.toFixed(2)) };
  process.stdout.write(`${JSON.stringify({ ratios, noise: Number(noiseOf(rounds).toFixed(2)) })}\n`);
  if (process.argv.includes('--record')) {
    const commit = (await command('git', ['rev-parse', 'HEAD'])).output.trim();
    writeFileSync(FILE, `${JSON.stringify({ commit, ratios, machine: await describeMachine() }, undefined, 2)}\n`);
  }
} finally {
  await scope.close();
}
