// Copies all tags of one registry to another, below a prefix; says when it begins, and when it is done. Made to be killed.

import { ImageCopy } from '../../../src/replication/copy/image-copy.ts';
import { mapLimit } from '../../../src/replication/map-limit.ts';
import { tagsOf } from '../../helpers/registry-walk.ts';
import { remoteRegistry } from '../../helpers/remote-registry.ts';

const [from = '', to = '', prefix = ''] = process.argv.slice(2);
const cleaners: (() => unknown)[] = [];
const owner = { teardown: (clean: () => unknown) => cleaners.push(clean) };
const [source, target] = [remoteRegistry(owner, 'source', from), remoteRegistry(owner, 'target', to)];
const copies = new ImageCopy({ concurrentBlobs: 4, chunkBytes: 30_000 });
const { signal } = new AbortController();
const tags = [...(await tagsOf(from))].flatMap(([repository, names]) => names.map((tag) => ({ repository, tag })));
process.stdout.write('begins\n');
await mapLimit(tags, 3, async ({ repository, tag }) => {
  const ends = {
    source: { registry: source, repository },
    target: { registry: target, repository: `${prefix}/${repository}` },
  };
  await copies.copy({ ...ends, reference: tag }, signal);
});
process.stdout.write('done\n');
for (const clean of cleaners) await clean();
