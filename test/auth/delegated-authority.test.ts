import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { DelegatedAuthority } from '../../src/auth/delegated-authority.ts';
import { Grants } from '../../src/auth/grants.ts';
import type { AuthorityCanary } from '../../src/failover/authority-evidence.ts';
import { DenialJudge } from '../../src/upstream/credentials/denial-judge.ts';
import type { UserAnswer } from '../../src/upstream/credentials/user-tokens.ts';
import { leastSeen, propertyRuns } from '../helpers/property-runs.ts';
import { stayAlive } from '../helpers/stay-alive.ts';
import { SECRET } from './made-tokens.ts';

const HOLDER = { authority: 'harbor', user: 'ann', password: 'secret' };
const NAMES = ['a', 'b'];
const pull = (name: string) => ({ type: 'repository', name, actions: ['pull'] });

/** What the authority answers: with the user's name or without, or a refusal after some milliseconds. */
type Says = { identified: boolean; names: string[] } | { tookMs: number | undefined } | 'error';
const CANARIES: AuthorityCanary[] = [
  { state: 'well', tookMs: 10 },
  { state: 'failing' },
  { state: 'silent' },
  { state: 'none' },
];

class World {
  now = 1_000_000;
  canary: AuthorityCanary = { state: 'none' };
  unhealthy: string[] = [];
  delaysRefusals = false;
  says: Says = 'error';
  asked = 0;
  readonly grants = new Grants([SECRET], 864_000_000, { now: () => this.now, observe: () => true });
  readonly authority: DelegatedAuthority;

  constructor() {
    const judge = new DenialJudge(
      async () => ({ canary: this.canary, unhealthy: this.unhealthy, delaysRefusals: this.delaysRefusals }),
      () => this.now,
    );
    this.authority = new DelegatedAuthority({
      askAuthority: async () => this.#answer(),
      evidence: judge,
      grants: this.grants,
      tellPeers: async () => undefined,
      afterLockMs: 0,
    });
  }

  #answer(): UserAnswer {
    this.asked += 1;
    // Later with each question, as time is.
    this.now += 0.25;
    const { says } = this;
    if (says === 'error') throw new Error('no answer');
    if ('tookMs' in says) return { outcome: 'refused', ...(says.tookMs === undefined ? {} : { tookMs: says.tookMs }) };
    const granted = says.names.map(pull);
    const { identified } = says;
    return { outcome: 'granted', authorization: 'Bearer x', identified, granted, undecided: [], expiresIn: 60 };
  }

  async login(says: Says, names: readonly string[] = NAMES) {
    this.says = says;
    return this.authority.decide({ holder: HOLDER, scopes: names.map(pull) });
  }

  get remembered(): string[] {
    const open = NAMES.filter((name) => this.grants.pullValidMs(HOLDER, name) > 0);
    return this.grants.passwordValidMs(HOLDER) > 0 ? ['password', ...open] : [];
  }
}

const OWN = { identified: true, names: NAMES };
const FAST = { tookMs: 15 };
const ALL = ['password', 'a', 'b'];

stayAlive(t);

t.test('the right password in the moment of a lock is tried again after it', async (t) => {
  const world = new World();
  world.canary = { state: 'well', tookMs: 10 };
  await world.login(OWN);
  world.asked = 0;
  const decided = world.login(FAST);
  await new Promise((soon) => setImmediate(soon));
  world.says = OWN;
  t.match(await decided, { outcome: 'granted' });
  t.equal(world.asked, 2);
  t.match(await world.login(FAST), { outcome: 'undecided' }, 'locked again and again');
  t.strictSame(world.remembered, ALL);
});

t.test('without a canary: three denials in 60 s, with all components well', async (t) => {
  const world = new World();
  await world.login(OWN);
  const refused = { tookMs: 1600 };
  for (const wait of [0, 30_000, 29_000]) {
    world.now += wait;
    t.match(await world.login(refused), { outcome: 'undecided' });
    t.strictSame(world.remembered, ALL);
  }
  world.now += 1001;
  t.match(await world.login(refused), { outcome: 'refused' });
  t.strictSame(world.remembered, []);
  await world.login(OWN);
  for (let minute = 0; minute < 5; minute += 1) {
    world.now += 60_000;
    world.unhealthy = minute === 2 ? ['redis'] : [];
    const { outcome } = await world.login(refused);
    t.equal(outcome, 'undecided', `minute ${minute}`);
    if (minute === 3) await world.login(OWN);
  }
  t.strictSame(world.remembered, ALL, 'neither over a sick component, nor over a good answer');
});

t.test('denials from before the registry was sick do not count after it, whatever the canary says', async (t) => {
  const world = new World();
  await world.login(OWN);
  t.match(await world.login({ tookMs: undefined }), { outcome: 'undecided' });
  world.now += 30_000;
  Object.assign(world, { canary: { state: 'silent' }, unhealthy: ['database'] });
  t.match(await world.login({ tookMs: undefined }), { outcome: 'outage' });
  Object.assign(world, { canary: { state: 'none' }, unhealthy: [] });
  for (const wait of [15_000, 16_000]) {
    world.now += wait;
    t.match(await world.login({ tookMs: undefined }), { outcome: 'undecided' });
  }
  t.strictSame(world.remembered, ALL);
});

t.test('a canary that cannot be the judge of a lock does not keep a lasting refusal from being believed', async (t) => {
  const world = new World();
  world.canary = { state: 'well', tookMs: 10 };
  await world.login(OWN);
  for (const outcome of ['undecided', 'undecided', 'refused']) {
    t.match(await world.login(FAST), { outcome });
    world.now += 30_000;
  }
});

t.test('wrong passwords of others, all the time, do not make the edge forget the user of a well Harbor', async (t) => {
  const world = new World();
  world.canary = { state: 'well', tookMs: 10 };
  world.delaysRefusals = true;
  await world.login(OWN);
  for (let round = 0; round < 5; round += 1) {
    t.match(await world.login(FAST), { outcome: 'undecided' }, 'the name is locked, again and again');
    world.now += 30_000;
  }
  t.strictSame(world.remembered, ALL);
  t.match(await world.login({ tookMs: 1520 }), { outcome: 'refused' }, 'a password that was checked');
  t.strictSame(world.remembered, []);
});

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ identified: fc.boolean(), names: fc.subarray(NAMES) }) },
  { weight: 4, arbitrary: fc.record({ tookMs: fc.constantFrom(undefined, 15, 1600) }) },
  { weight: 1, arbitrary: fc.constant('error' as const) },
);
const history = fc.array(
  fc.record({
    says: step,
    asked: fc.subarray(NAMES, { minLength: 1 }),
    wait: fc.constantFrom(1, 1000, 25_000, 40_000, 700_000),
    canary: fc.constantFrom(...CANARIES),
    unhealthy: fc.constantFrom([], [], [], ['database'], ['trivy']),
    delaysRefusals: fc.boolean(),
  }),
  { minLength: 5, maxLength: 40 },
);

/** The rule of issue 11, section 4, written down a second time: what the edge remembers, and since when it is denied. */
class Model {
  readonly known = new Set<string>();
  readonly denials = new Map<string, number[]>();

  accept(key: string): void {
    this.known.add(key);
    this.denials.delete(key);
  }

  /** @returns whether the thing is forgotten, kept, or the authority is sick */
  deny(key: string, world: World, tookMs: number | undefined): 'forgotten' | 'kept' | 'sick' {
    const { canary, unhealthy, now, delaysRefusals } = world;
    if (canary.state === 'failing' || unhealthy.includes('database')) {
      this.denials.delete(key);
      return 'sick';
    }
    if (canary.state === 'silent') return 'kept';
    const before = this.denials.get(key) ?? [];
    const times = now - (before.at(-1) ?? now) > 600_000 ? [now] : [...before, now];
    const checked = canary.state === 'well' && (tookMs === undefined || tookMs > 1500);
    const mayBeLocked = canary.state === 'well' && delaysRefusals;
    const lasting = !mayBeLocked && times.length >= 3 && now - (times[0] ?? now) >= 60_000 && unhealthy.length === 0;
    if (checked || lasting) {
      this.denials.delete(key);
      return 'forgotten';
    }
    if (unhealthy.length > 0) this.denials.delete(key);
    else this.denials.set(key, times);
    return 'kept';
  }
}

function expected(model: Model, world: World, says: Says, asked: readonly string[]): string {
  if (says === 'error') return 'outage';
  if ('tookMs' in says) {
    const known = model.known.has('password');
    if (!known && says.tookMs !== undefined && says.tookMs > 1500) return 'refused';
    const denied = known
      ? model.deny('password', world, says.tookMs)
      : new Model().deny('password', world, says.tookMs);
    if (denied === 'sick') return 'outage';
    if (denied === 'kept' && known) return 'undecided';
    model.known.clear();
    return 'refused';
  }
  model.accept('password');
  for (const name of asked) {
    if (says.names.includes(name)) model.accept(name);
    else if (model.known.has(name) && (says.identified || model.deny(name, world, undefined) === 'forgotten'))
      model.known.delete(name);
  }
  return 'granted';
}

t.test('property: random histories of answers unlearn what the rule says, and nothing else', async (t) => {
  const seen = new Map<string, number>();
  const property = fc.asyncProperty(history, async (steps) => {
    const world = new World();
    const model = new Model();
    for (const { says, asked, wait, canary, unhealthy, delaysRefusals } of steps) {
      world.now += wait;
      Object.assign(world, { canary, unhealthy, delaysRefusals });
      const before = world.remembered;
      const narrowed =
        says !== 'error' && 'names' in says
          ? { ...says, names: says.names.filter((one) => asked.includes(one)) }
          : says;
      world.asked = 0;
      const { outcome } = await world.login(narrowed, asked);
      let wanted = expected(model, world, narrowed, asked);
      // A name that may be locked is tried twice.
      if (world.asked === 2) wanted = expected(model, world, narrowed, asked);
      assert.equal(outcome, wanted, JSON.stringify({ says, canary, unhealthy }));
      assert.deepEqual(
        world.remembered,
        ['password', ...NAMES].filter((key) => model.known.has(key)),
      );
      const less = world.remembered.length < before.length;
      seen.set(`${outcome}${less ? ', forgets' : ''}`, (seen.get(`${outcome}${less ? ', forgets' : ''}`) ?? 0) + 1);
    }
    world.grants.close();
  });
  await fc.assert(property, { numRuns: propertyRuns(500) });
  for (const outcome of ['granted', 'granted, forgets', 'refused', 'refused, forgets', 'outage', 'undecided'])
    t.ok((seen.get(outcome) ?? 0) > leastSeen(100), `${outcome}: ${seen.get(outcome)}`);
});
