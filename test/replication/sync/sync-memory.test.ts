import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import type { ImageCopy } from '../../../src/replication/copy/image-copy.ts';
import type { RepositoryPair } from '../../../src/replication/copy-route.ts';
import type { RemoteRegistry } from '../../../src/replication/registry/remote-registry.ts';
import { Sync } from '../../../src/replication/sync/sync.ts';

const REPOSITORIES = 500;
const TAGS = 200;

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

function heapBytes(): number {
  collect();
  return process.memoryUsage().heapUsed;
}

/** Of every repository, all but one tag. */
function registry(lacks: number): RemoteRegistry {
  const tags = async (name: string) =>
    Array.from({ length: TAGS - lacks }, (_, tag) => ({ tag: `v${tag}`, digest: `sha256:${name.slice(1)}-${tag}` }));
  return { name: 'gcr', tags } as unknown as RemoteRegistry;
}

t.test('waiting work does not hold tags that are equal', async (t) => {
  const all = Promise.withResolvers<void>();
  let compared = 0;
  const copy = { copy: () => new Promise<never>(() => {}) } as unknown as ImageCopy;
  const sync = new Sync({
    ...{ source: registry(0), target: registry(1), copy, images: 4 },
    onEvent: ({ kind }) => {
      if (kind === 'compared') compared += 1;
      if (compared === REPOSITORIES) all.resolve();
    },
  });
  async function* pairs(): AsyncGenerator<RepositoryPair> {
    for (let number = 0; number < REPOSITORIES; number += 1) yield { source: `a${number}`, target: `b${number}` };
  }
  const before = heapBytes();
  void sync.run(pairs(), new AbortController().signal);
  await all.promise;
  const grown = (heapBytes() - before) / REPOSITORIES;
  t.ok(grown < 20_000, `${Math.round(grown)} bytes for each repository of ${TAGS} tags, of which one is missing`);
});
