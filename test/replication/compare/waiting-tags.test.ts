import t from 'tap';
import { WaitingTags, type WaitingTagsOptions } from '../../../src/replication/compare/waiting-tags.ts';
import type { RemoteRegistry } from '../../../src/replication/registry/remote-registry.ts';

const PRIMARY = `sha256:${'a'.repeat(64)}`;
const COPY = `sha256:${'b'.repeat(64)}`;

/** Registries that tell no times, and a primary that has none of the copies. */
const registry = { tagTimes: async () => new Map(), resolveDigest: async () => undefined } as unknown as RemoteRegistry;
const options: WaitingTagsOptions = { source: registry, target: registry, verdict: () => 'unrecorded' };
const { signal } = new AbortController();

function compared(repository: string, tags: readonly string[]) {
  return {
    repository: { source: repository, target: repository },
    tags: tags.map((tag) => ({ tag, state: 'differs' as const, sourceDigest: PRIMARY, targetDigest: COPY })),
    ...{ ledgerTime: 1, comparedAt: 1, answeredAt: 1 },
  };
}

const names = (waiting: WaitingTags) => [...waiting.all()].map(({ waiting: { tag } }) => tag);

t.test('beyond a bound tags are counted, and still wait', async (t) => {
  const waiting = new WaitingTags(3);
  t.strictSame(await waiting.decide(compared('a', ['1', '2']), options, signal), []);
  t.strictSame(await waiting.decide(compared('b', ['1', '2', '3', '4']), options, signal), [], 'none is copied');
  t.equal(waiting.count, 6);
  t.equal(waiting.unnamed, 3);
  t.equal(names(waiting).length, 3);
  waiting.forget('b', '4');
  t.equal(waiting.count, 6, 'which ones are counted is not known, so none is taken off');
  t.equal(waiting.unnamedIn('b'), 3);
  t.equal(waiting.unnamedIn('a'), 0);
  waiting.forget('a', '1');
  t.equal(waiting.count, 5);
  await waiting.decide(compared('b', ['1', '2', '3', '4']), options, signal);
  t.equal(waiting.count, 5);
  t.equal(waiting.unnamed, 2, 'the next comparison names what there is room for');
  await waiting.decide(compared('b', ['4']), options, signal);
  t.strictSame(names(waiting), ['2', '4']);
  t.equal(waiting.unnamed, 0);
  waiting.retainOnly((repository) => repository === 'a');
  t.equal(waiting.count, 1);
  await waiting.decide(compared('a', []), options, signal);
  t.equal(waiting.count, 0);
  await waiting.decide(compared('c', ['1', '2', '3', '4']), options, signal);
  waiting.retainOnly(() => false);
  t.equal(waiting.count, 0);
  await waiting.decide(compared('c', ['1', '2', '3', '4']), options, signal);
  waiting.clear();
  t.equal(waiting.count, 0);
});

t.test('a hundred thousand tags that differ cost little', async (t) => {
  const waiting = new WaitingTags();
  const all = compared(
    'library/app',
    Array.from({ length: 100_000 }, (_, index) => `v${index}`),
  );
  t.strictSame(await waiting.decide(all, options, signal), []);
  t.equal(waiting.count, 100_000);
  const kept = names(waiting);
  t.ok(kept.length <= 10_000, `${kept.length} are kept`);
  const began = process.cpuUsage();
  for (const tag of kept) waiting.forget('library/app', tag);
  t.ok(process.cpuUsage(began).user < 1_000_000, 'an operator who accepts them all does not stop the edge');
  t.equal(waiting.count, 100_000 - kept.length);
});
