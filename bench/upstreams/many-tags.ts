import { cp, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { putImageSet } from '../../test/helpers/image-set.ts';
import { type Registry, startRegistry } from '../../test/helpers/registry.ts';
import type { Scope } from '../scope.ts';

const TAGS = 100;

/** Two real registries with the same repositories of a hundred tags each. They are written to disk, which is much faster than pushes. */
export async function startManyTags(scope: Scope, tags: number): Promise<{ source: Registry; target: Registry }> {
  const [source, target] = await Promise.all([startRegistry(scope), startRegistry(scope)]);
  await putImageSet(source.url, { images: 1, layerBytes: 1000, repositories: 1 });
  const kept = 'docker/registry/v2/repositories';
  const made = join(source.storage.root, kept, 'team0/app0');
  const tagFolder = join(made, '_manifests/tags');
  const first = (await readdir(tagFolder)).find((tag) => !tag.startsWith('sha256-')) ?? '';
  for (let tag = 1; tag < TAGS; tag += 1)
    await cp(join(tagFolder, first), join(tagFolder, `t${tag}`), { recursive: true });
  for (let repository = 1; repository < tags / TAGS; repository += 1)
    await cp(made, join(source.storage.root, kept, `many/app${repository}`), { recursive: true });
  await mkdir(target.storage.root, { recursive: true });
  await cp(source.storage.root, target.storage.root, { recursive: true });
  return { source, target };
}
