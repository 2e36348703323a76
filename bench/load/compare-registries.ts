// Compares two registries as a reconcile does, and prints what it cost. Arguments: URLs of both.
import { Comparison } from '../../src/replication/compare/comparison.ts';
import { remoteRegistry } from '../../test/helpers/remote-registry.ts';

const [from = '', to = ''] = process.argv.slice(2);
const cleaners: (() => unknown)[] = [];
const owner = { teardown: (clean: () => unknown) => cleaners.push(clean) };
const [source, target] = [remoteRegistry(owner, 'source', from), remoteRegistry(owner, 'target', to)];
const { signal } = new AbortController();

async function* pairs() {
  for await (const name of source.repositories(signal)) yield { source: name, target: name };
}

// A first round, because an edge that runs for long has compiled code and open connections.
for await (const pair of pairs()) {
  await new Comparison({ source, target }).compare(pair, signal);
  break;
}
const rssBefore = process.memoryUsage.rss();
const began = performance.now();
const found: Record<string, number> = {};
let rssPeak = rssBefore;
for await (const { compared } of new Comparison({ source, target }).compareAll(pairs(), signal)) {
  for (const { state } of (await compared).tags) found[state] = (found[state] ?? 0) + 1;
  rssPeak = Math.max(rssPeak, process.memoryUsage.rss());
}
const ms = performance.now() - began;
process.stdout.write(`${JSON.stringify({ ms, rssBefore, rssPeak, found })}\n`);
for (const clean of cleaners) await clean();
