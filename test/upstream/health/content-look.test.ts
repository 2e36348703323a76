import t from 'tap';
import type { Sight } from '../../../src/failover/proof.ts';
import { lookForContent } from '../../../src/upstream/health/content-look.ts';
import { type Scripted, scriptedGet } from '../made-answer.ts';

const D = `sha256:${'a'.repeat(64)}`;
const CONTENT: Sight = { kind: 'content' };
const empty = (reason = 'it lists no repositories'): Sight => ({ kind: 'empty', reason });
const unclear = (reason: string): Sight => ({ kind: 'unclear', reason });

t.test('the catalog of a registry', async (t) => {
  const rows: [string, Scripted, Sight][] = [
    ['a repository', { body: { repositories: ['library/app'] } }, CONTENT],
    ['none', { body: { repositories: [] } }, empty()],
    ['none, as Go writes it', { body: { repositories: null } }, empty()],
    ['an error with status 200', { body: { errors: [] } }, unclear('its catalog is no list')],
    ['no catalog (Artifact Registry)', { status: 405 }, unclear('its catalog answers 405')],
    ['denied', { status: 401 }, unclear('its catalog answers 401')],
    ['an outage', { status: 500 }, unclear('its catalog answers 500')],
  ];
  for (const [name, answer, expected] of rows) {
    const { get, asked } = scriptedGet({ '/v2/_catalog?n=1': answer });
    t.strictSame(await lookForContent('registry', get, { listsAll: true, anonymous: false }), expected, name);
    t.match(asked, [{ scopes: ['registry:catalog:*'] }], 'one request');
    const stranger = scriptedGet({ '/v2/_catalog?n=1': answer });
    t.strictSame(await lookForContent('registry', stranger.get, { listsAll: true, anonymous: true }), expected);
    t.match(stranger.asked, [{ scopes: 'api' }], 'without a token');
  }
});

t.test("Harbor's lists come from its database, so an image is read", async (t) => {
  const list = '/api/v2.0/repositories?page=1&page_size=3&sort=-update_time';
  const listed = { [list]: { body: [{ name: 'library/app' }, { name: 'library/old' }] } };
  const tags = (repository: string) => ({ [`/v2/${repository}/tags/list?n=1`]: { body: { tags: ['1'] } } });
  const manifest = (repository: string) => ({
    [`/v2/${repository}/manifests/1`]: { body: { layers: [{ digest: D, size: 3 }] } },
  });
  const blob = (repository: string, answer: Scripted = { status: 206, body: 'x' }) => ({
    [`/v2/${repository}/blobs/${D}`]: answer,
  });
  const app = { ...listed, ...tags('library/app') };
  const known = { '/v2/': {} };
  const rows: [string, Record<string, Scripted | Error>, Sight, listsAll?: boolean][] = [
    ['an image is read', { ...app, ...manifest('library/app'), ...blob('library/app') }, CONTENT],
    [
      'one is broken, the next is read',
      { ...app, ...tags('library/old'), ...manifest('library/old'), ...blob('library/old') },
      CONTENT,
    ],
    ['the storage is gone', app, empty('it lists library/app:1, but cannot read it')],
    ['its registry knows no repository', listed, empty('it lists library/app, but cannot read it')],
    [
      'blobs are gone',
      { ...app, ...manifest('library/app'), ...blob('library/app', { status: 404 }) },
      empty('it lists library/app:1, but cannot read it'),
    ],
    [
      'the probe may not read them',
      { ...app, '/v2/library/app/manifests/1': { status: 403 } },
      unclear('the probe cannot read the images that Harbor lists'),
    ],
    [
      'they have no tags',
      { [list]: { body: [{ name: 'a/b' }] }, '/v2/a/b/tags/list?n=1': { body: { tags: null } } },
      unclear('the images that Harbor lists have no tags'),
    ],
    ['nothing is listed', { [list]: { body: [] }, ...known }, empty()],
    ['nothing is listed, as Go writes it', { [list]: { body: 'null' }, ...known }, empty()],
    [
      'nothing is listed to a wrong password',
      { [list]: { body: [] }, '/v2/': { status: 401 } },
      unclear('Harbor lists nothing to the credentials of the probe'),
    ],
    [
      'clients may see more than the probe',
      { [list]: { body: [] }, ...known },
      unclear('Harbor lists nothing to the credentials of the probe'),
      false,
    ],
    ['no list', { [list]: { body: 'hello' } }, unclear("Harbor's list of repositories answers 200")],
    ['an outage', { [list]: { status: 503 } }, unclear("Harbor's list of repositories answers 503")],
  ];
  for (const [name, table, expected, listsAll = true] of rows)
    t.strictSame(
      await lookForContent('harbor', scriptedGet(table).get, { listsAll, anonymous: false }),
      expected,
      name,
    );
});
