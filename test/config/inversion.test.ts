import fc from 'fast-check';
import t from 'tap';
import { findCollisions } from '../../src/config/inversion.ts';
import { configSchema, type RouteConfig } from '../../src/config/schema.ts';
import { findRoute, resolveRoute, toClient, toUpstream } from '../../src/failover/rewrite.ts';

const routeSchema = configSchema.shape.routes.element;

function routes(
  ...list: { prefix: string; registry?: string; push?: string; pull: [upstream: string, prefix?: string][] }[]
): RouteConfig[] {
  return list.map(({ pull, ...route }) =>
    routeSchema.parse({
      ...route,
      pull: pull.map(([upstream, prefix]) => ({ upstream, ...(prefix === undefined ? {} : { prefix }) })),
    }),
  );
}

const TABLE: [name: string, routes: RouteConfig[], collisions: number][] = [
  [
    'everything and a part of it, both as they are',
    routes({ prefix: '', pull: [['harbor']] }, { prefix: 'library/', pull: [['harbor']] }),
    0,
  ],
  [
    'two routes to one place',
    routes({ prefix: 'a/', pull: [['gcr', 'p/']] }, { prefix: 'b/', pull: [['gcr', 'p/']] }),
    1,
  ],
  [
    'two routes to one place of two upstreams',
    routes({ prefix: 'a/', pull: [['gcr', 'p/']] }, { prefix: 'b/', pull: [['ecr', 'p/']] }),
    0,
  ],
  [
    'one inside of the other',
    routes({ prefix: 'a/', pull: [['gcr', 'p/']] }, { prefix: 'b/', pull: [['gcr', 'p/q/']] }),
    1,
  ],
  [
    'the same, but a third route takes what would meet',
    routes(
      { prefix: 'a/', pull: [['gcr', 'p/']] },
      { prefix: 'b/', pull: [['gcr', 'p/q/']] },
      { prefix: 'a/q/', pull: [['gcr', 'r/']] },
    ),
    0,
  ],
  [
    'everything moved, and a part that lands in it',
    routes({ prefix: '', pull: [['gcr', 'p/']] }, { prefix: 'library/', pull: [['gcr', 'p/']] }),
    1,
  ],
  [
    'everything moved, and a part where it would be anyway',
    routes({ prefix: '', pull: [['gcr', 'p/']] }, { prefix: 'library/', pull: [['gcr', 'p/library/']] }),
    0,
  ],
  [
    'of two registries',
    routes({ prefix: '', pull: [['gcr', 'p/']] }, { prefix: '', registry: 'docker.io', pull: [['gcr', 'p/']] }),
    0,
  ],
  [
    'by a push upstream that is not in the pull list',
    routes({ prefix: 'a/', push: 'gcr', pull: [['x']] }, { prefix: 'b/', pull: [['gcr', 'a/']] }),
    1,
  ],
];

for (const [name, list, collisions] of TABLE) {
  t.test(name, async (t) => {
    t.equal(findCollisions(list).length, collisions);
    t.equal(findCollisions([...list].reverse()).length, collisions, 'in either order');
  });
}

const part = fc.constantFrom('a', 'b', 'c');
const prefix = fc.array(part, { maxLength: 3 }).map((parts) => parts.map((one) => `${one}/`).join(''));
const name = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));

t.test('where no collision is found, no two client names become one, and every name finds its way back', async () => {
  const generated = fc.uniqueArray(fc.record({ prefix, upstreamPrefix: prefix }), {
    minLength: 1,
    maxLength: 4,
    selector: (one) => one.prefix,
  });
  fc.assert(
    fc.property(generated, fc.uniqueArray(name, { minLength: 2, maxLength: 30 }), (list, names) => {
      const configs = routes(
        ...list.map((one) => ({ prefix: one.prefix, pull: [['u', one.upstreamPrefix]] as [string, string][] })),
      );
      fc.pre(findCollisions(configs).length === 0);
      const resolved = configs.map(resolveRoute);
      const seen = new Map<string, string>();
      for (const client of names) {
        const route = findRoute(resolved, undefined, client);
        const candidate = route?.pull[0];
        if (!route || !candidate) continue;
        const upstream = toUpstream(route, candidate, client);
        if (seen.has(upstream)) throw new Error(`${seen.get(upstream)} and ${client} are both ${upstream}`);
        seen.set(upstream, client);
        const back = resolved.flatMap((one) =>
          one.pull[0] ? (toClient(resolved, one, one.pull[0], upstream) ?? []) : [],
        );
        if (!back.includes(client)) throw new Error(`${client} -> ${upstream} -> ${back}`);
      }
    }),
    { numRuns: 2000 },
  );
});

t.test('where a collision is found, there are two client names that meet', async () => {
  const list = routes({ prefix: 'a/', pull: [['u', 'p/']] }, { prefix: 'b/', pull: [['u', 'p/q/']] }).map(resolveRoute);
  const names = ['a/q/x', 'b/x'].map((client) => {
    const route = findRoute(list, undefined, client);
    return route?.pull[0] && toUpstream(route, route.pull[0], client);
  });
  t.equal(names[0], names[1]);
});
