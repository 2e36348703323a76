import fc from 'fast-check';
import t from 'tap';
import { parseTagKey, tagKey, upstreamTag } from '../../src/ledger/upstream-tag.ts';
import { libraryRoute } from '../failover/made-view.ts';

t.test('a tag is where its route is pushed to, in the names used there', async (t) => {
  const route = libraryRoute();
  t.strictSame(upstreamTag(route, 'library/app', 'v1'), { upstream: 'harbor', repository: 'library/app', tag: 'v1' });
  const readOnly = { ...route, push: undefined, pull: route.pull.slice(1) };
  t.strictSame(
    upstreamTag(readOnly, 'library/app', 'v1'),
    { upstream: 'gcr', repository: 'example-project/app', tag: 'v1' },
    'of a read-only route where it is asked first',
  );
  t.equal(upstreamTag({ ...readOnly, pull: [] }, 'library/app', 'v1'), undefined);
});

t.test('property: a key is that of one place', async () => {
  const name = fc.string({ unit: fc.constantFrom('a', '/', '.', ':', '-', '_', ' '), maxLength: 5 });
  const place = fc.record({ upstream: name, repository: name, tag: name });
  fc.assert(
    fc.property(place, (one) => {
      const back = parseTagKey(tagKey(one));
      return back.upstream === one.upstream && back.repository === one.repository && back.tag === one.tag;
    }),
  );
});
