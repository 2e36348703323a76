import fc from 'fast-check';
import t from 'tap';
import { type KeptManifest, ManifestCache, type ManifestPlace } from '../../../src/proxy/pull/manifest-cache.ts';
import { HeaderList } from '../../../src/upstream/header-list.ts';
import { until } from '../../helpers/until.ts';

const PLACE: ManifestPlace = { upstream: 'harbor', repository: 'app', digest: 'sha256:aa', authorization: undefined };

function kept(bytes: number, headers: [string, string][] = []): KeptManifest {
  const head = { status: 200, headers: new HeaderList(headers), redirected: false, url: new URL('http://localhost/') };
  return { head, bytes: Buffer.alloc(bytes) };
}

t.test('only the very same place opens it', async (t) => {
  const memory = new ManifestCache({ memory: 1_000_000, keep: 60_000 });
  const manifest = kept(10);
  memory.set({ ...PLACE, authorization: 'Bearer one' }, manifest);
  t.equal(memory.get({ ...PLACE, authorization: 'Bearer one' }), manifest);
  const others: [says: string, place: Partial<ManifestPlace>][] = [
    ['another upstream', { upstream: 'gcr' }],
    ['another repository', { repository: 'app2' }],
    ['a repository below', { repository: 'app/sub' }],
    ['another digest', { digest: 'sha256:ab' }],
    ['another client', { authorization: 'Bearer two' }],
    ['a client with nothing', { authorization: '' }],
    ['one whose credentials do not matter', { authorization: undefined }],
  ];
  for (const [says, place] of others)
    t.equal(memory.get({ ...PLACE, authorization: 'Bearer one', ...place }), undefined, says);
  memory.set({ ...PLACE, authorization: '' }, manifest);
  t.equal(memory.get(PLACE), undefined, 'a client without credentials is one of its own');
});

t.test('a deleted manifest is forgotten for all clients', async (t) => {
  const memory = new ManifestCache({ memory: 1_000_000, keep: 60_000 });
  const places = ['', 'Bearer one', undefined].map((authorization) => ({ ...PLACE, authorization }));
  const others = [{ upstream: 'harbor2' }, { repository: 'app2' }, { digest: 'sha256:aab' }];
  const rest = others.map((other) => ({ ...PLACE, ...other }));
  for (const place of [...places, ...rest]) memory.set(place, kept(1));
  memory.forget('harbor', 'app', 'sha256:aa');
  t.same(
    places.map((place) => memory.get(place)),
    [undefined, undefined, undefined],
  );
  t.ok(
    rest.every((place) => memory.get(place)),
    'and nothing else',
  );
  memory.forget('harbor', 'app');
  t.same(
    rest.map((place) => memory.get(place) !== undefined),
    [true, true, false],
    'a repository',
  );
  memory.forget('harbor');
  t.same(
    rest.map((place) => memory.get(place) !== undefined),
    [true, false, false],
    'an upstream',
  );
});

t.test('it is kept for so long', async (t) => {
  const memory = new ManifestCache({ memory: 1_000_000, keep: 30 });
  memory.set(PLACE, kept(1));
  t.ok(memory.get(PLACE));
  await until(() => memory.get(PLACE) === undefined, { every: 5, what: () => 'its end' });
});

t.test('nothing is kept', async (t) => {
  for (const options of [
    { memory: 0, keep: 60_000 },
    { memory: 1_000_000, keep: 0 },
  ]) {
    const memory = new ManifestCache(options);
    memory.set(PLACE, kept(1));
    t.equal(memory.get(PLACE), undefined, JSON.stringify(options));
    t.same(memory.size, { manifests: 0, bytes: 0 });
    memory.forget('harbor');
  }
});

t.test('headers count too', async (t) => {
  const memory = new ManifestCache({ memory: 1_000_000, keep: 60_000 });
  const long: [string, string][] = [['x-long', 'x'.repeat(30_000)]];
  for (let index = 0; index < 1000; index += 1) memory.set({ ...PLACE, digest: `sha256:${index}` }, kept(100, long));
  t.ok(memory.size.manifests < 40, `${memory.size.manifests} with 30 KB of headers each`);
});

t.test('never more than its bytes, whatever is put in', async () => {
  const BOUND = 100_000;
  const entry = fc.record({ digest: fc.nat(50), bytes: fc.nat(40_000), header: fc.nat(5000) });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 100 }), (entries) => {
      const memory = new ManifestCache({ memory: BOUND, keep: 60_000 });
      const held = new Map<number, number>();
      for (const { digest, bytes, header } of entries) {
        const place = { ...PLACE, digest: `sha256:${digest}` };
        memory.set(place, kept(bytes, [['x', 'y'.repeat(header)]]));
        held.set(digest, bytes + header);
        // One that is too long to be kept must not leave an older one of that place either.
        const found = memory.get(place);
        if (found && found.bytes.length !== bytes) return false;
        if (found && bytes > BOUND / 8) return false;
      }
      const present = [...held].filter(([digest]) => memory.get({ ...PLACE, digest: `sha256:${digest}` }));
      const sum = present.reduce((all, [, bytes]) => all + bytes, 0);
      return sum <= BOUND && memory.size.bytes <= BOUND && memory.size.bytes >= sum;
    }),
  );
});
