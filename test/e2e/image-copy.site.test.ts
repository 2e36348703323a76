import { join } from 'node:path';
import t from 'tap';
import { ImageCopy } from '../../src/replication/copy/image-copy.ts';
import { mapLimit } from '../../src/replication/map-limit.ts';
import { command } from '../helpers/command.ts';
import { writeImage } from '../helpers/image.ts';
import { putImageSet } from '../helpers/image-set.ts';
import { startRegistry } from '../helpers/registry.ts';
import { tagsOf, walkRegistry } from '../helpers/registry-walk.ts';
import { remoteRegistry } from '../helpers/remote-registry.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { missing, tool } from '../helpers/tool.ts';

t.test(
  'between two real registries, every byte',
  { skip: missing('docker-registry', 'skopeo'), timeout: timeLimit(120_000) },
  async (t) => {
    const [primary, fallback] = await Promise.all([startRegistry(t), startRegistry(t)]);
    const images = await putImageSet(primary.url, { images: 30 });
    const folder = temporaryFolder(t);
    for (const [name, format, platforms] of [
      ['oci', 'oci', ['amd64', 'arm64']],
      ['docker', 'v2s2', ['amd64']],
      ['list', 'v2s2', ['amd64', 'arm64', 'riscv64']],
    ] as const) {
      const { folder: layout } = await writeImage(join(folder, name), { layers: [300_000, 5000], platforms });
      const to = `docker://${primary.address}/skopeo/${name}:1`;
      const args = ['--insecure-policy', 'copy', '--all', '--quiet', '--format', format, '--dest-tls-verify=false'];
      await command(tool('skopeo'), [...args, `oci:${layout}:latest`, to]);
    }
    const [source, target] = [remoteRegistry(t, 'harbor', primary.url), remoteRegistry(t, 'gcr', fallback.url)];
    // Small parts: real layers go as large ones do.
    const copies = new ImageCopy({ concurrentBlobs: 4, chunkBytes: 100_000 });
    const tags = await tagsOf(primary.url);
    const all = [...tags].flatMap(([repository, names]) => names.map((tag) => ({ repository, tag })));
    t.equal(all.length, images.length + 3, 'all of them are there to be copied');
    const copy = ({ repository, tag }: (typeof all)[number]) =>
      copies.copy(
        { source: { registry: source, repository }, target: { registry: target, repository }, reference: tag },
        new AbortController().signal,
      );
    const results = await Promise.all(all.map(copy));
    t.strictSame([...new Set(results.map(({ outcome }) => outcome))], ['copied']);
    t.ok(results.some(({ blobs }) => blobs.mounted > 0));
    let found = 0;
    const compare = async ({ repository, tag }: (typeof all)[number]) => {
      const [there, here] = await Promise.all(
        [fallback, primary].map(({ url }) => walkRegistry(url, repository, tag, { whole: true })),
      );
      t.strictSame(there?.missing, [], `${repository}:${tag}`);
      t.strictSame(there, here, `${repository}:${tag} is the same`);
      found += there?.found.size ?? 0;
    };
    await mapLimit(all, 8, compare);
    t.ok(found > 200, 'there was something to compare');
    const before = fallback.writes();
    t.strictSame([...new Set((await Promise.all(all.map(copy))).map(({ outcome }) => outcome))], ['same']);
    t.equal(fallback.writes(), before, 'nothing is written a second time');
    const puts = fallback.requests().filter((line) => /^PUT .*\/blobs\/uploads\//.test(line));
    const distinct = results.reduce((sum, { blobs }) => sum + blobs.uploaded, 0);
    t.equal(puts.length, distinct, 'no blob was sent twice');
    t.ok(
      fallback.requests().some((line) => line.startsWith('PATCH ')),
      'large ones in parts',
    );
  },
);

t.test('either registry is killed in the middle of a large blob', { skip: missing('docker-registry') }, async (t) => {
  const [primary, fallback] = await Promise.all([startRegistry(t), startRegistry(t)]);
  await putImageSet(primary.url, { images: 1, layerBytes: 6_000_000, buildCache: false });
  const patient = { pause: 50, limit: 60_000 };
  const [source, target] = [
    remoteRegistry(t, 'harbor', primary.url, patient),
    remoteRegistry(t, 'gcr', fallback.url, patient),
  ];
  const kills = [fallback, primary, fallback];
  let [sent, killing] = [0, Promise.resolve()];
  const onSent = (bytes: number) => {
    sent += bytes;
    const registry = sent > 5_000_000 * (4 - kills.length) ? kills.shift() : undefined;
    if (registry) killing = killing.then(() => registry.kill()).then(() => registry.start());
  };
  // Slow enough that there is a middle.
  const copies = new ImageCopy({
    concurrentBlobs: 2,
    chunkBytes: 1_000_000,
    maxBandwidth: 10_000_000,
  });
  const ends = {
    source: { registry: source, repository: 'team0/app0' },
    target: { registry: target, repository: 'team0/app0' },
  };
  const copying = copies.copy({ ...ends, reference: 'v0' }, new AbortController().signal, { sent: onSent });
  t.match(await copying, { outcome: 'copied' });
  await killing;
  t.equal(kills.length, 0, 'all of them were killed');
  const whole = { whole: true };
  const there = await walkRegistry(fallback.url, 'team0/app0', 'v0', whole);
  t.strictSame(there, await walkRegistry(primary.url, 'team0/app0', 'v0', whole));
  t.strictSame(there.missing, []);
});
