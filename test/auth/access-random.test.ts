import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { AccessRules } from '../../src/auth/access-rules.ts';
import type { RepositoryKey } from '../../src/auth/repository-key.ts';
import { ACTIONS } from '../../src/config/access-rule.ts';
import { parseScope } from '../../src/oci/scope.ts';
import { leastSeen, propertyRuns } from '../helpers/property-runs.ts';
import { asked, granted, hashOf, inside, login, made, nobody, outside } from './made-tokens.ts';

const USERS = ['ann', 'bob', 'cat'];
const PASSWORDS = Object.fromEntries(USERS.map((user) => [user, `secret of ${user}`]));
const hashes: Record<string, string> = {};
for (const user of USERS) hashes[user] = await hashOf(`secret of ${user}`);

// Few words, so that rules, scopes and requested actions meet.
const name = fc
  .array(fc.constantFrom('a', 'b', 'r.io'), { minLength: 1, maxLength: 2 })
  .map((parts) => parts.join('/'));
const pattern = fc
  .array(fc.constantFrom('a', 'b', 'r.io', '*', '**', '**', 'r*'), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.join('/'));
const actions = fc.subarray([...ACTIONS], { minLength: 1 });
const rule = fc
  .tuple(fc.oneof(fc.constant('**'), pattern), actions)
  .map(([pattern, actions]) => `${pattern} ${actions.join(',')}`);
const holder = fc.constantFrom(...USERS, '@g', '@h', '*');
const rules = fc.dictionary(holder, fc.array(rule, { minLength: 1, maxLength: 3 }), { minKeys: 2, maxKeys: 6 });
const group = fc.uniqueArray(fc.constantFrom(...USERS));
const groups = fc.record({ g: group, h: group }, { requiredKeys: [] });
/** Where routes lead: registries, and beginnings of names that networks may pull. */
const routes = fc.record({
  registries: fc.subarray<string | undefined>([undefined, 'r.io', 'a'], { minLength: 1 }),
  open: fc.uniqueArray(fc.constantFrom('a', 'b', 'r.io/a', 'a/b'), { maxLength: 2 }),
});
const scope = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(name, actions).map(([name, actions]) => `repository:${name}:${actions.join(',')}`) },
  { weight: 1, arbitrary: name.map((name) => `repository:${name}:*`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'registry:catalog:*',
      'registry:catalog:pull',
      'repository(plugin):a:pull',
      'repository:a/../b:pull',
    ),
  },
);
const requestedActions = fc.record({
  repository: name,
  actions: fc.subarray([...ACTIONS], { minLength: 1, maxLength: 1 }),
  registry: fc.constantFrom(undefined, 'r.io', 'a'),
});
const caller = fc.constantFrom(inside, outside);
const way = fc.constantFrom('password', 'password', 'refresh', 'none', 'wrong');
const configuration = fc.record({ rules, groups, routes });
const step = fc.record({
  way,
  user: fc.constantFrom(...USERS),
  scopes: fc.array(scope, { minLength: 1, maxLength: 6 }),
  asker: caller,
  bearer: caller,
  requested: fc.array(requestedActions, { minLength: 1, maxLength: 2, size: 'xsmall' }),
});

type Configuration = typeof configuration extends fc.Arbitrary<infer T> ? T : never;
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

t.test('property: no grant goes beyond what was asked, no permit beyond what the rules of now allow', async (t) => {
  let permits = 0;
  let refusals = 0;
  const property = fc.asyncProperty(
    configuration,
    fc.option(configuration, { nil: undefined, freq: 2 }),
    fc.array(step, { minLength: 2, maxLength: 6 }),
    async (before, after, steps) => {
      const [first, second] = [edgeOf(before), edgeOf(after ?? before)];
      for (const one of steps) {
        const token = await tokenOf(first, one);
        const requested = one.requested.map((request) => ({
          ...request,
          repositoryKey: placeAt(after ?? before, request.registry, request.repository),
        }));
        const permit = await second.guard.check(token && `Bearer ${token}`, { requested }, one.bearer);
        if ('refused' in permit) {
          refusals += 1;
          continue;
        }
        permits += 1;
        assertAllowed(after ?? before, permit.user, one, requested);
      }
    },
  );
  await fc.assert(property, { numRuns: propertyRuns(600) });
  t.ok(permits > leastSeen(20), `${permits} were permitted`);
  t.ok(refusals > leastSeen(20), `${refusals} were refused`);
});

function edgeOf(configuration: Configuration) {
  const places = (repository: string) =>
    configuration.routes.registries.map((registry) => placeAt(configuration, registry, repository));
  return made({ hashes, access: configuration.rules, groups: groupsOf(configuration), places });
}

function groupsOf({ groups }: Configuration): Record<string, string[]> {
  return Object.fromEntries(Object.entries(groups).map(([group, users]) => [group, users ?? []]));
}

function placeAt({ routes }: Configuration, registry: string | undefined, repository: string): RepositoryKey {
  const name = registry === undefined ? repository : `${registry}/${repository}`;
  return { name, tokenName: name, anonymous: routes.open.some((open) => name.startsWith(open)) };
}

/** Asks for a token in the way of the step, and sees that no more was granted than asked for. */
async function tokenOf({ tokens, box }: ReturnType<typeof made>, one: Step): Promise<string | undefined> {
  const scopes = one.scopes.join(' ');
  const password = PASSWORDS[one.user] ?? '';
  const asking = one.way === 'none' ? nobody : login(one.user, one.way === 'wrong' ? 'wrong' : password);
  let answer = await tokens.issue(asked(asking, scopes, true), one.asker);
  if (one.way === 'wrong' || (one.way === 'none' && !one.asker.anonymous)) {
    assert.ok('refused' in answer);
    return undefined;
  }
  if (one.way === 'refresh') {
    const token = granted(answer).refreshToken ?? '';
    answer = await tokens.issue(asked({ kind: 'refresh', token }, scopes), one.asker);
  }
  const grant = granted(answer);
  const opened = await box.open(grant.token);
  assert.ok('claims' in opened);
  assert.equal(opened.claims.user, one.way === 'none' ? undefined : one.user);
  const texts = opened.claims.access.flatMap(({ type, name, actions }) => actions.map((a) => `${type}:${name}:${a}`));
  for (const text of texts) assert.ok(wasAsked(one.scopes, text), `${text} was not asked for: ${scopes}`);
  return grant.token;
}

function wasAsked(scopes: readonly string[], single: string): boolean {
  const granted = parseScope(single);
  return scopes.some((text) => {
    const scope = parseScope(text);
    // Tokens name places: the registry's name may stand before what was asked for.
    const same = scope?.type === granted?.type && `/${granted?.name}`.endsWith(`/${scope?.name}`);
    return (
      same && (scope?.actions.includes('*') || granted?.actions.every((action) => scope?.actions.includes(action)))
    );
  });
}

function assertAllowed(
  configuration: Configuration,
  user: string | undefined,
  one: Step,
  requested: { repositoryKey: RepositoryKey; repository: string; actions: readonly (typeof ACTIONS)[number][] }[],
): void {
  const rules = new AccessRules(configuration.rules, groupsOf(configuration));
  for (const { repositoryKey, actions } of requested) {
    for (const action of actions) {
      const what = `${user} ${action} ${repositoryKey.name}`;
      // Networks without credentials: also for who has some.
      if (one.bearer.anonymous && repositoryKey.anonymous && action === 'pull') continue;
      if (user === undefined) assert.fail(what);
      else {
        assert.ok(rules.allows(user, repositoryKey.name, action), what);
        assert.ok(wasAsked(one.scopes, `repository:${repositoryKey.name}:${action}`), `${what} was not asked for`);
      }
    }
  }
}
