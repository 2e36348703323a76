import t from 'tap';
import { parseConfig } from '../../../src/config/inspection.ts';
import { referrerTagSubject } from '../../../src/replication/sync/referrer-tags.ts';
import { RepositoryMap } from '../../../src/replication/sync/repository-map.ts';

const { routes } = parseConfig({
  hostname: 'cr.example.io',
  tls: { certFile: 'a', keyFile: 'b' },
  upstreams: { harbor: { urls: ['http://h'] }, gcr: { urls: ['http://g'] }, hub: { urls: ['http://d'] } },
  routes: [
    {
      prefix: 'library/',
      push: 'harbor',
      pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'example-project/' }],
    },
    { prefix: 'library/own/', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr', prefix: 'own/' }] },
    { prefix: 'only/', pull: [{ upstream: 'hub' }] },
    { prefix: 'pushed/', push: 'harbor', pull: [{ upstream: 'gcr' }] },
  ],
}).config;

const pairs = (map: RepositoryMap | undefined, name: string) => map?.pairs(name).map(({ target }) => target);

t.test('as routes have it, both ways', async (t) => {
  const there = RepositoryMap.ofRoutes(routes, 'harbor', 'gcr');
  t.strictSame(there?.pairs('library/app'), [{ source: 'library/app', target: 'example-project/app' }]);
  t.strictSame(pairs(there, 'library/own/app'), ['own/app'], 'the longest prefix wins');
  t.strictSame(pairs(there, 'pushed/app'), ['pushed/app'], 'also where the push upstream serves no pulls');
  for (const name of ['only/app', 'elsewhere', 'library']) t.strictSame(pairs(there, name), [], name);
  const back = RepositoryMap.ofRoutes(routes, 'gcr', 'harbor');
  t.strictSame(pairs(back, 'example-project/app'), ['library/app']);
  t.strictSame(pairs(back, 'example-project/own/app'), [], 'another route has that name');
  t.strictSame(pairs(back, 'own/app'), ['library/own/app']);
  t.equal(RepositoryMap.ofRoutes(routes, 'harbor', 'hub'), undefined);
});

t.test('one prefix in place of another', async (t) => {
  const map = RepositoryMap.ofPrefixes('team/', 'copies/team/');
  t.strictSame(pairs(map, 'team/app'), ['copies/team/app']);
  t.strictSame(pairs(map, 'teams/app'), []);
  t.strictSame(pairs(RepositoryMap.ofPrefixes('', ''), 'app'), ['app']);
});

t.test('tags about other images', async (t) => {
  const hex = 'a'.repeat(64);
  for (const end of ['', '.sig', '.att', '.sbom']) t.equal(referrerTagSubject(`sha256-${hex}${end}`), `sha256:${hex}`);
  for (const tag of ['latest', 'sha256-abc.sig', `x-${hex}`, `sha256-${hex}sig`])
    t.equal(referrerTagSubject(tag), undefined);
});
