import t from 'tap';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { type ComparedRepository, Comparison } from '../../../src/replication/compare/comparison.ts';
import { remoteRegistry } from '../../helpers/remote-registry.ts';

const never = new AbortController().signal;

t.test('tags by digest, one repository after the other', async (t) => {
  const [primary, fallback] = await Promise.all([startLabRegistry({ pageSize: 3 }), startLabRegistry()]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  const [source, target] = [remoteRegistry(t, 'harbor', primary.url), remoteRegistry(t, 'gcr', fallback.url)];
  const names = Array.from({ length: 12 }, (_, index) => `app${index}`);
  for (const name of names) {
    primary.seed(name, 'same', { blobs: [1] });
    fallback.seed(`there/${name}`, 'same', { blobs: [1] });
    primary.seed(name, 'differs', { blobs: [2] });
    fallback.seed(`there/${name}`, 'differs', { blobs: [3] });
    primary.seed(name, 'missing', { blobs: [4] });
    fallback.seed(`there/${name}`, 'surplus', { blobs: [5] });
    primary.seed(name, 'unwanted', { blobs: [6] });
  }
  primary.seed('alone', '1', { blobs: [1] });
  const comparison = new Comparison({ source, target, includeTag: (tag) => tag !== 'unwanted' });
  const pairs = [...names, 'alone', 'nowhere'].map((name) => ({ source: name, target: `there/${name}` }));
  primary.forget();
  fallback.forget();
  const compared: ComparedRepository[] = [];
  for await (const one of comparison.compareAll(pairs, never)) compared.push(await one.compared);
  t.strictSame(
    compared.map(({ repository }) => repository),
    pairs,
  );
  for (const { tags } of compared.slice(0, 12))
    t.strictSame(
      new Map(tags.map(({ tag, state }) => [tag, state])),
      new Map([
        ['same', 'same'],
        ['differs', 'differs'],
        ['missing', 'missing'],
        ['surplus', 'surplus'],
      ]),
    );
  t.match(compared[12]?.tags, [{ tag: '1', state: 'missing' }]);
  t.strictSame(compared[13]?.tags, []);
  const heads = (requests: typeof primary.requests) => requests.filter(({ method }) => method === 'HEAD').length;
  t.equal(heads(primary.requests), 24, 'a look at what both have');
  t.equal(heads(fallback.requests), 24);
});

t.test('a registry that fails ends it', async (t) => {
  const [primary, fallback] = await Promise.all([startLabRegistry(), startLabRegistry()]);
  t.teardown(() => Promise.all([primary.close(), fallback.close()]));
  primary.seed('a', '1', { blobs: [1] });
  await primary.faults.on('errors', { status: 500 });
  const [source, target] = [
    remoteRegistry(t, 'harbor', primary.url, { limit: 100 }),
    remoteRegistry(t, 'gcr', fallback.url),
  ];
  const all = new Comparison({ source, target }).compareAll([{ source: 'a', target: 'a' }], never);
  const { value } = await all.next();
  await t.rejects(value?.compared, { name: 'CopyError', message: /harbor fails \/v2\/a\/tags\/list \(500/ });
});
