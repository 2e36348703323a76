import t, { type Test } from 'tap';
import type { KnownTagState } from '../../../src/failover/newer-copy.ts';
import { type LabRegistry, startLabRegistry } from '../../../src/lab/registry.ts';
import { ImageCopy } from '../../../src/replication/copy/image-copy.ts';
import type { RepositoryPair } from '../../../src/replication/copy-route.ts';
import { Sync, type SyncOptions } from '../../../src/replication/sync/sync.ts';
import type { SyncEvent } from '../../../src/replication/sync/sync-event.ts';
import { remoteRegistry } from '../../helpers/remote-registry.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 21, 3, 30);
const USER = { username: 'robot$copy', password: 'c0py' };

/** Artifact Registry, from which a restored Harbor gets what is newer. */
async function start(t: Test) {
  const [fallback, primary] = await Promise.all([
    startLabRegistry({ uploads: 'artifact-registry' }),
    startLabRegistry({ harbor: true, auth: { scheme: 'basic', users: [USER] } }),
  ]);
  t.teardown(() => Promise.all([fallback.close(), primary.close()]));
  const source = remoteRegistry(t, 'gcr', fallback.url, { limit: 200 });
  const target = remoteRegistry(t, 'harbor', primary.url, { limit: 200, kind: 'harbor', credentials: USER });
  const states = new Map<string, readonly KnownTagState[]>();
  const sync = async (more: Partial<SyncOptions> = {}) => {
    const events: SyncEvent[] = [];
    const copy = new ImageCopy({ concurrentBlobs: 4 });
    const run = new Sync({
      ...{ source, target, copy, images: 2, existing: 'newer' },
      statesOf: async (_, tag) => states.get(tag) ?? [],
      ...more,
      onEvent: (event) => {
        events.push(event);
        more.onEvent?.(event);
      },
    });
    async function* pairs(): AsyncGenerator<RepositoryPair> {
      yield { source: 'project/app', target: 'library/app' };
    }
    await run.run(pairs(), new AbortController().signal);
    const of = (kind: SyncEvent['kind']) =>
      events.flatMap((event) => (event.kind === kind && 'image' in event ? (event.image?.tag ?? []) : [])).sort();
    const reasons = events.flatMap((event) => ('reason' in event ? (event.reason ?? []) : []));
    return {
      planned: of('planned'),
      copied: of('copied'),
      kept: of('kept'),
      undecided: of('undecided'),
      failed: of('failed'),
      reasons,
    };
  };
  return { fallback, primary, states, sync };
}

/** Pushes to the fallback, if `blob` is above 100, or to the primary. */
function push(registry: LabRegistry, tag: string, blob: number, at = NOW): string {
  const repository = blob > 100 ? 'project/app' : 'library/app';
  const { digest } = registry.seed(repository, tag, { blobs: [blob] });
  const { manifests, pushedAt } = registry.store.repository(repository);
  pushedAt.set(tag, at);
  const manifest = manifests.get(digest);
  if (manifest) manifest.uploadedAt = at;
  return digest;
}

const at = (registry: LabRegistry, tag: string) => registry.store.repository('library/app').tags.get(tag);

t.test('by the times of pushes and uploads, where no ledger tells', async (t) => {
  const { fallback, primary, sync } = await start(t);
  const newer = push(fallback, 'newer', 101, NOW);
  push(primary, 'newer', 1, NOW - HOUR);
  push(fallback, 'older', 102, NOW - 3 * HOUR);
  const older = push(primary, 'older', 2, NOW - 2 * HOUR);
  push(fallback, 'close', 103, NOW);
  push(primary, 'close', 3, NOW - 1000);
  const lost = push(fallback, 'lost', 104, NOW + HOUR);
  push(fallback, 'retained', 105, NOW - 5 * HOUR);
  const dry = await sync({ copy: undefined });
  t.strictSame(dry.planned, ['lost', 'newer']);
  t.strictSame(await sync(), {
    planned: ['lost', 'newer'],
    copied: ['lost', 'newer'],
    kept: ['older', 'retained'],
    undecided: ['close'],
    failed: [],
    reasons: dry.reasons,
  });
  t.strictSame(dry.reasons.sort(), [
    'harbor has newer pushes in that repository, so it may have been deleted there',
    'neither the ledger nor push times tell which one is newer',
    'newer on harbor, by the times of pushes',
  ]);
  t.strictSame([at(primary, 'newer'), at(primary, 'older'), at(primary, 'lost')], [newer, older, lost]);
  t.notOk(at(primary, 'retained'));
});

t.test('the ledger comes before the times', async (t) => {
  const { fallback, primary, states, sync } = await start(t);
  const copies = ['back', 'moved', 'deleted'].map((tag, index) => push(fallback, tag, 101 + index, NOW));
  const [back, moved] = [push(primary, 'back', 1, NOW + HOUR), push(primary, 'moved', 2, NOW - HOUR)];
  const known = (...digests: (string | null | undefined)[]) =>
    digests.map((digest = null, index) => ({ digest, confirmedAt: NOW + (9 - index) * HOUR }));
  states.set('back', known(copies[0], back));
  states.set('moved', known(moved, copies[1]));
  states.set('deleted', known(null, copies[2]));
  const { copied, kept, undecided, reasons } = await sync();
  t.strictSame({ copied, kept, undecided }, { copied: ['back'], kept: ['deleted', 'moved'], undecided: [] });
  t.strictSame(reasons.sort(), ['deleted on harbor, by the ledger', 'newer on harbor, by the ledger']);
  t.equal(at(primary, 'back'), copies[0]);
});

t.test('a repository that the primary lacks as a whole, and registries that tell nothing', async (t) => {
  const { fallback, primary, states, sync } = await start(t);
  const digest = push(fallback, 'known', 101);
  push(fallback, 'unknown', 102);
  states.set('known', [{ digest, confirmedAt: NOW }]);
  await primary.faults.on('errors', { status: 500, path: /artifacts/ });
  const { copied, undecided, failed } = await sync();
  t.strictSame({ copied, undecided, failed }, { copied: ['known'], undecided: ['unknown'], failed: [] });
});

t.test('a tag that is pushed meanwhile is not replaced', async (t) => {
  const { fallback, primary, sync } = await start(t);
  push(fallback, 'v1', 101, NOW);
  push(primary, 'v1', 1, NOW - HOUR);
  let pushed = '';
  const { kept, copied } = await sync({
    onEvent: ({ kind }) => {
      if (kind === 'began') pushed = push(primary, 'v1', 50);
    },
  });
  t.strictSame({ kept, copied }, { kept: ['v1'], copied: [] });
  t.equal(at(primary, 'v1'), pushed);
});

t.test('signatures come with their images', async (t) => {
  const { fallback, primary, sync } = await start(t);
  const digest = push(fallback, 'v1', 101, NOW);
  push(primary, 'v1', 1, NOW - HOUR);
  const signature = `${digest.replace(':', '-')}.sig`;
  push(fallback, signature, 102, NOW - 9 * HOUR);
  push(fallback, `sha256-${'a'.repeat(64)}.sig`, 103, NOW);
  const { copied, undecided } = await sync();
  t.strictSame({ copied, undecided }, { copied: [signature, 'v1'].sort(), undecided: [] });
});
