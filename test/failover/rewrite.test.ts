import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { findCollisions } from '../../src/config/inversion.ts';
import {
  type Candidate,
  findRoute,
  isCopied,
  type Route,
  resolveRoute,
  toClient,
  toUpstream,
} from '../../src/failover/rewrite.ts';
import { propertyRuns } from '../helpers/property-runs.ts';

type RouteConfig = Parameters<typeof resolveRoute>[0];

function config(given: Partial<RouteConfig>): RouteConfig {
  const pull = [{ upstream: 'harbor', replicate: false }];
  return { prefix: '', pull, onAbsent: 'stop', staleTags: 'warn', deletions: 'keep', anonymous: false, ...given };
}

const prefixOf = (route: Route | undefined) => route && `${route.registry ?? ''}|${route.prefix}`;

t.test('the route of a repository', async (t) => {
  const prefixes = ['library/', 'library/team/', ''];
  const routes = [
    ...prefixes.map((prefix) => resolveRoute(config({ prefix }))),
    resolveRoute(config({ prefix: 'library/', registry: 'docker.io' })),
  ];
  const rows: [string | undefined, string, string | undefined][] = [
    [undefined, 'library/app', '|library/'],
    [undefined, 'library/team/app', '|library/team/'],
    [undefined, 'library/team', '|library/'],
    [undefined, 'library/teams/app', '|library/'],
    [undefined, 'library', '|'],
    [undefined, 'libraryx/app', '|'],
    [undefined, 'app', '|'],
    ['docker.io', 'library/app', 'docker.io|library/'],
    ['docker.io', 'library/team/app', 'docker.io|library/'],
    ['docker.io', 'other/app', undefined],
    ['quay.io', 'library/app', undefined],
  ];
  for (const [registry, name, expected] of rows)
    t.equal(prefixOf(findRoute(routes, registry, name)), expected, `${registry} ${name}`);
  const reversed = [...routes].reverse();
  for (const [registry, name, expected] of rows)
    t.equal(prefixOf(findRoute(reversed, registry, name)), expected, 'in any order');
  t.equal(findRoute(routes.slice(0, 1), undefined, 'library/'), undefined, 'a prefix alone is no repository');
});

t.test('a route is copied if any of its upstreams is kept in step', async (t) => {
  const entry = (replicate: boolean) => ({ upstream: 'gcr', prefix: '', replicate });
  t.equal(isCopied({ pull: [entry(false), entry(true)] }), true);
  t.equal(isCopied({ pull: [entry(false), entry(false)] }), false);
  t.equal(isCopied({ pull: [] }), false);
});

t.test('defaults', async (t) => {
  const route = resolveRoute(
    config({
      prefix: 'library/',
      push: 'gcr',
      pull: [
        { upstream: 'harbor', replicate: false },
        { upstream: 'gcr', prefix: 'p/', replicate: true },
        { upstream: 'flat', prefix: '', replicate: false },
      ],
    }),
  );
  t.strictSame(
    route.pull.map((one) => one.prefix),
    ['library/', 'p/', ''],
    "the route's own prefix where none is given, also the empty one",
  );
  t.equal(route.push, route.pull[1], 'pushes go where they are pulled from');
  const apart = resolveRoute(config({ prefix: 'library/', push: 'other' }));
  t.strictSame(apart.push, { upstream: 'other', prefix: 'library/', replicate: false });
  t.equal(resolveRoute(config({})).push, undefined);
});

t.test('names there and back', async (t) => {
  const routes = [
    resolveRoute(
      config({ prefix: 'library/', pull: [{ upstream: 'gcr', prefix: 'example-project/', replicate: false }] }),
    ),
    resolveRoute(
      config({ prefix: 'library/team/', pull: [{ upstream: 'gcr', prefix: 'team-project/', replicate: false }] }),
    ),
  ];
  const [library, team] = routes as [Route, Route];
  const [gcr] = library.pull as [Candidate];
  const [teams] = team.pull as [Candidate];
  t.equal(toUpstream(library, gcr, 'library/app'), 'example-project/app');
  t.equal(toClient(routes, library, gcr, 'example-project/app'), 'library/app');
  t.equal(toClient(routes, library, gcr, 'example-project/'), undefined);
  t.equal(toClient(routes, library, gcr, 'example-project'), undefined);
  t.equal(toClient(routes, library, gcr, 'other/app'), undefined);
  t.equal(
    toClient(routes, library, gcr, 'example-project/team/app'),
    undefined,
    'clients would be sent elsewhere by that name',
  );
  t.equal(toClient(routes, team, teams, 'team-project/app'), 'library/team/app');
});

const part = fc.constantFrom('a', 'b', 'c');
const prefix = fc.array(part, { maxLength: 3 }).map((parts) => parts.map((one) => `${one}/`).join(''));
const upstreamName = fc.constantFrom('one', 'two');
const routeConfig: fc.Arbitrary<RouteConfig> = fc
  .record({
    prefix,
    registry: fc.constantFrom(undefined, undefined, 'docker.io'),
    push: fc.option(upstreamName, { nil: undefined }),
    pull: fc.uniqueArray(
      fc.record({ upstream: upstreamName, prefix: fc.option(prefix, { nil: undefined }), replicate: fc.boolean() }),
      { minLength: 1, maxLength: 2, selector: (one) => one.upstream },
    ),
    onAbsent: fc.constantFrom('stop' as const, 'next' as const),
    staleTags: fc.constantFrom('refuse' as const, 'warn' as const, 'serve' as const),
  })
  .map((one) => one as RouteConfig);
/** What startup lets through: no two routes with the same prefix, and no prefix that cannot be inverted. */
const routes = fc
  .uniqueArray(routeConfig, { minLength: 1, maxLength: 4, selector: (one) => `${one.registry} ${one.prefix}` })
  .filter((all) => findCollisions(all).length === 0)
  .map((all) => all.map(resolveRoute));
const repository = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
const candidates = (route: Route) => (route.push ? [route.push, ...route.pull] : route.pull);

t.test('property: a name that goes to an upstream comes back as it was', async () => {
  fc.assert(
    fc.property(routes, fc.constantFrom(undefined, 'docker.io'), repository, (all, registry, name) => {
      const route = findRoute(all, registry, name);
      if (!route) return;
      assert.ok(name.startsWith(route.prefix));
      for (const candidate of candidates(route)) {
        assert.equal(toClient(all, route, candidate, toUpstream(route, candidate, name)), name);
      }
    }),
    { numRuns: propertyRuns(2000) },
  );
});

t.test('property: a name that comes from an upstream goes back as it was', async () => {
  fc.assert(
    fc.property(routes, repository, (all, name) => {
      for (const route of all) {
        for (const candidate of candidates(route)) {
          const own = toClient(all, route, candidate, name);
          if (own === undefined) continue;
          assert.equal(findRoute(all, route.registry, own), route);
          assert.equal(toUpstream(route, candidate, own), name);
        }
      }
    }),
    { numRuns: propertyRuns(2000) },
  );
});

t.test('property: two names of one registry are never one name on an upstream', async () => {
  fc.assert(
    fc.property(routes, fc.uniqueArray(repository, { minLength: 2, maxLength: 8 }), (all, names) => {
      const seen = new Map<string, string>();
      for (const name of names) {
        const route = findRoute(all, undefined, name);
        const places = new Set(
          (route ? candidates(route) : []).map((one) => `${one.upstream}:${route ? toUpstream(route, one, name) : ''}`),
        );
        for (const place of places) {
          assert.equal(seen.get(place), undefined, `${name} and ${seen.get(place)} meet at ${place}`);
          seen.set(place, name);
        }
      }
    }),
    { numRuns: propertyRuns(2000) },
  );
});
