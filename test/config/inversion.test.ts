import fc from 'fast-check';
import t from 'tap';
import { findCollisions } from '../../src/config/inversion.ts';
import { configSchema, type RouteConfig } from '../../src/config/schema.ts';
import { findRoute, resolveRoute, toClient, toUpstream } from '../../src/failover/rewrite.ts';
import { leastSeen, propertyRuns } from '../helpers/property-runs.ts';

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
    'of two registries, by different prefixes',
    routes({ prefix: 'a/', pull: [['gcr', 'p/']] }, { prefix: 'b/', registry: 'docker.io', pull: [['gcr', 'p/']] }),
    0,
  ],
  [
    'a longer route of another registry takes nothing',
    routes(
      { prefix: 'a/', pull: [['gcr', 'p/']] },
      { prefix: 'b/', pull: [['gcr', 'p/q/']] },
      { prefix: 'a/q/', registry: 'docker.io', pull: [['gcr', 'r/']] },
    ),
    1,
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
    { numRuns: propertyRuns(2000) },
  );
});

/** Two of the names that are one on the upstream. By trying all names, so without a thought of the rule in inversion.ts. */
function meeting(configs: RouteConfig[], names: string[]): [string, string] | undefined {
  const resolved = configs.map(resolveRoute);
  const seen = new Map<string, string>();
  for (const client of names) {
    const route = findRoute(resolved, undefined, client);
    const candidate = route?.pull[0];
    if (!route || !candidate) continue;
    const upstream = toUpstream(route, candidate, client);
    const other = seen.get(upstream);
    if (other !== undefined) return [other, client];
    seen.set(upstream, client);
  }
  return undefined;
}

t.test('a collision is found exactly where two client names meet', async (t) => {
  const folders = (depth: number): string[] =>
    depth === 0 ? [''] : ['', ...['a/', 'b/'].flatMap((first) => folders(depth - 1).map((rest) => first + rest))];
  // A route's prefix, and what one upstream prefix has beyond another, are two folders at the most; the last part is no folder of a route.
  const names = [...new Set(folders(4))].map((folder) => `${folder}z`);
  const short = fc.constantFrom(...new Set(folders(2)));
  const generated = fc.uniqueArray(fc.record({ prefix: short, upstreamPrefix: short }), {
    minLength: 2,
    maxLength: 5,
    selector: (one) => one.prefix,
  });
  const seen = { refused: 0, accepted: 0 };
  fc.assert(
    fc.property(generated, (list) => {
      const configs = routes(
        ...list.map((one) => ({ prefix: one.prefix, pull: [['u', one.upstreamPrefix]] as [string, string][] })),
      );
      const found = findCollisions(configs);
      const met = meeting(configs, names);
      seen[found.length > 0 ? 'refused' : 'accepted'] += 1;
      if ((met === undefined) !== (found.length === 0))
        throw new Error(`${JSON.stringify(list)}: ${met ?? 'none meet'}; ${found[0]?.message ?? 'accepted'}`);
      for (const { message } of found) {
        const [inB = '', inA = ''] = [...message.matchAll(/"([^"]*)NAME" of/g)].map(([, text = '']) => `${text}z`);
        if (inA === inB || !meeting(configs, [inA, inB])) throw new Error(`these do not meet: ${message}`);
      }
    }),
    { numRuns: propertyRuns(1500) },
  );
  t.ok(seen.refused > leastSeen(100) && seen.accepted > leastSeen(100), `both are tried: ${JSON.stringify(seen)}`);
});
