import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { DelegatedTokenIssuer } from '../../src/auth/delegated-token-issuer.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { Grants } from '../../src/auth/grants.ts';
import { TokenSealer } from '../../src/auth/token-sealer.ts';
import { parseScope, type Scope } from '../../src/oci/scope.ts';
import type { UserAnswer } from '../../src/upstream/credentials/user-tokens.ts';
import { leastSeen, propertyRuns } from '../helpers/property-runs.ts';
import { MARK, PROVEN } from './made-tokens.ts';

const SECRET = Buffer.from('a secret of a pair that is long enough');
const REMEMBER = 10_000;
const NAMES = ['a', 'b'];

// Few of everything, so that what was granted, taken back and asked for again meets.
const user = fc.constantFrom('ann', 'ann', 'ann', 'bob');
const scope = fc
  .tuple(
    fc.constantFrom(...NAMES, ...NAMES, ...NAMES, 'a/../b'),
    fc.constantFrom(['pull'], ['pull'], ['*'], ['push'], ['pull', 'push', 'x']),
  )
  .map(([name, actions]) => `repository:${name}:${actions.join(',')}`);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('login' as const),
      user,
      password: fc.constantFrom('0', '0', '0', '0', '0', '1'),
      scopes: fc.array(scope, { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('allow' as const),
      user,
      names: fc.subarray(NAMES),
      actions: fc.subarray(['pull', 'push']),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('state' as const), up: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('hide' as const), hides: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('password' as const),
      user,
      password: fc.constantFrom('0', '0', '1', 'gone'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1000, max: REMEMBER / 2 }) }),
  },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Login = Extract<Step, { do: 'login' }>;

/** A primary with its users, and what it last said of each password and repository. */
class World {
  now = 1_000_000;
  up = true;
  /** Its tokens say nothing, and what a user may not pull is not there as far as that user can see. */
  hides = false;
  readonly passwords: Record<string, string> = { ann: '0', bob: '0' };
  readonly may: Record<string, Record<string, string[]>> = { ann: { a: ['pull'] }, bob: {} };
  /** `user password repository` -> when it last granted a pull; gone with its next word to the contrary. */
  readonly granted = new Map<string, number>();
  readonly box = new TokenSealer([SECRET], () => ({ monotonic: this.now, wall: this.now }));
  readonly tokens = new DelegatedTokenIssuer({
    askAuthority: (basic, scopes) => Promise.resolve(this.#answer(basic, scopes)),
    isShown: async () => true,
    evidence: PROVEN,
    authority: 'primary',
    fingerprint: MARK,
    grants: new Grants([SECRET], REMEMBER, { now: () => this.now, observe: () => true }),
    tellPeers: async () => undefined,
    sealer: this.box,
    failures: new FailureLimit(1000, 1, () => this.now),
    service: 'edge',
    repositoryKeys: (name) => [{ name, tokenName: name, anonymous: false, authorityName: `inner/${name}` }],
    lifetime: 3_600_000,
    refreshLifetime: 3_600_000,
  });

  #answer(basic: string | undefined, scopes: readonly Scope[]): UserAnswer {
    if (!this.up) throw new Error('down');
    const [name = '', password = ''] = Buffer.from((basic ?? '').slice(6), 'base64')
      .toString()
      .split(':');
    if (this.passwords[name] !== password) return { outcome: 'refused' };
    const granted = scopes.flatMap((one) => {
      assert.match(one.name, /^inner\/(a|b)$/, 'nothing else is asked of it');
      const allowed = this.may[name]?.[one.name.slice('inner/'.length)] ?? [];
      const actions = one.actions.filter((action) => allowed.includes(action) || (this.hides && action !== 'pull'));
      return actions.length > 0 ? [{ ...one, actions }] : [];
    });
    const pulls = (one: Scope) => one.actions.includes('pull');
    const shown = new Set(granted.filter(pulls).map((one) => one.name));
    const undecided = scopes.filter((one) => this.hides && pulls(one) && !shown.has(one.name)).map((one) => one.name);
    return { outcome: 'granted', authorization: 'Bearer x', identified: true, granted, undecided, expiresIn: 3600 };
  }
}

t.test('property: no grant that the primary had not given, in whatever state', async (t) => {
  const seen = { up: 0, hidden: 0, remembered: 0, unavailable: 0, refused: 0 };
  const property = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
    const world = new World();
    for (const one of steps) {
      if (one.do === 'state') world.up = one.up;
      else if (one.do === 'hide') world.hides = one.hides;
      else if (one.do === 'wait') world.now += one.ms;
      else if (one.do === 'password') world.passwords[one.user] = one.password;
      else if (one.do === 'allow')
        world.may[one.user] = Object.fromEntries(one.names.map((name) => [name, one.actions]));
      else seen[await checkLogin(world, one)] += 1;
    }
  });
  await fc.assert(property, { numRuns: propertyRuns(300) });
  for (const [what, count] of Object.entries(seen)) t.ok(count > leastSeen(20), `${what}: ${count}`);
});

async function checkLogin(world: World, { user: name, password, scopes }: Login) {
  const asked = scopes.flatMap((text) => parseScope(text) ?? []);
  const answer = await world.tokens.issue(
    {
      credentials: { kind: 'password', user: name, password },
      scopes: asked,
      service: 'edge',
      wantsRefreshToken: false,
    },
    { address: '192.0.2.1', anonymous: false },
  );
  const right = world.passwords[name] === password;
  const keyOf = (repository: string) => `${name} ${password} ${repository}`;
  if ('refused' in answer) {
    assert.equal(answer.refused, world.up ? 'credentials' : 'unavailable', 'no password is called wrong in an outage');
    if (!world.up) return 'unavailable';
    assert.ok(!right);
    for (const one of NAMES) world.granted.delete(keyOf(one));
    return 'refused';
  }
  const opened = await world.box.open(answer.token);
  assert.ok('claims' in opened);
  for (const { name: repository, actions } of opened.claims.access) {
    const wanted = asked.filter((one) => one.name === repository).flatMap((one) => one.actions);
    for (const action of actions) {
      assert.ok(wanted.includes(action) || wanted.includes('*'), `${action} ${repository} was asked for`);
      const at = world.granted.get(keyOf(repository));
      const may = world.may[name]?.[repository]?.includes(action);
      if (world.up && world.hides && !may) {
        // It opens nothing but the primary, which has the last word; or what it was last seen to open.
        const authorityOnly: boolean = opened.claims.authorityOnly?.includes(repository) === true;
        assert.ok(
          right && (action !== 'pull' || authorityOnly || (at ?? 0) + REMEMBER > world.now),
          `hidden ${repository}`,
        );
      } else if (world.up) assert.ok(right && may, `${action} ${repository}`);
      else {
        assert.equal(action, 'pull');
        assert.ok(at !== undefined && at + REMEMBER > world.now, `${repository} was granted, and not too long ago`);
        assert.ok(opened.claims.expires <= at + REMEMBER, 'nor does the token outlast it');
      }
    }
  }
  assert.equal(opened.claims.upstream, world.up ? 'Bearer x' : undefined);
  if (!world.up) return 'remembered';
  for (const one of asked.filter(({ actions }) => actions.includes('pull') || actions.includes('*'))) {
    if (world.may[name]?.[one.name]?.includes('pull')) world.granted.set(keyOf(one.name), world.now);
    else if (!world.hides) world.granted.delete(keyOf(one.name));
  }
  return opened.claims.authorityOnly === undefined ? 'up' : 'hidden';
}
