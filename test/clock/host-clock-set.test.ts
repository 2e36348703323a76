import t, { type Test } from 'tap';
import { Sessions } from '../../src/admin/session.ts';
import { FailureLimit } from '../../src/auth/failure-limit.ts';
import { Grants } from '../../src/auth/grants.ts';
import { TokenSealer } from '../../src/auth/token-sealer.ts';
import { monotonicNow, readClocks } from '../../src/clock/clock.ts';
import { upstreamSchema } from '../../src/config/upstream-schema.ts';
import { CopyIntegrity } from '../../src/digest/copy-integrity.ts';
import { obstacleTo } from '../../src/failover/plan.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import { LedgerClock } from '../../src/ledger/ledger-clock.ts';
import { PulledLog, pulledKey } from '../../src/replication/coverage/pulled-log.ts';
import { type CopyTask, TaskQueue } from '../../src/replication/task-queue.ts';
import { Authorizer } from '../../src/upstream/credentials/authorizer.ts';
import { CredentialWatch } from '../../src/upstream/credentials/credential-watch.ts';
import { Breaker } from '../../src/upstream/health/breaker.ts';
import { Canary } from '../../src/upstream/health/canary.ts';
import { Replica } from '../../src/upstream/health/replica.ts';
import { Resolver } from '../../src/upstream/resolver.ts';
import { CLOCK_STEPS, MockedTime } from '../helpers/host-clock.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const A = `sha256:${'a'.repeat(64)}`;
const SECRET = Buffer.from('a secret of a pair that is long enough');

/** A state that ends by itself. */
interface Timed {
  /** Milliseconds from its beginning to its end. */
  lasts: number;
  isOn(): boolean | Promise<boolean>;
}

const config = upstreamSchema.parse({ urls: ['http://x'], probe: { canary: 'a:b' } });
const GOOD = { ok: true, reason: 'read', canary: 'good', readOnly: undefined, unhealthy: undefined } as const;

function replica(): Replica {
  const none = () => undefined;
  const events = { health: none, breaker: none, gate: none, corruptCopy: none, content: none, credentials: none };
  return new Replica('harbor', 'http://x', config, new Canary('a:b'), events);
}

const ASKED = { client: 'ann', repository: 'app' };

function isLimited(one: Replica, evidence: typeof ASKED): boolean {
  return obstacleTo(one.view(), 'control', monotonicNow(), evidence)?.why.startsWith('rate-limited') === true;
}

/** Outcomes reach opossum and queues in microtasks. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

/** A breaker that its failures have just opened. */
async function openBreaker(t: Test): Promise<Breaker> {
  const breaker = new Breaker(
    config.breaker,
    () => undefined,
    () => 0.5,
  );
  t.teardown(() => breaker.dispose());
  for (let failures = 0; failures < 5; failures += 1) {
    breaker.admit()('bad');
    await settled();
  }
  return breaker;
}

const STATES: Record<string, (t: Test, time: MockedTime) => Timed | Promise<Timed>> = {
  'a URL is rate-limited': () => {
    const one = replica();
    one.recordProbe({ ...GOOD, ok: false, retryAfterMs: 10 * SECOND }, 1);
    return { lasts: 10 * SECOND, isOn: () => isLimited(one, { client: 'ben', repository: 'other' }) };
  },
  'a URL is rate-limited for one client and repository': () => {
    const one = replica();
    one.tryStartAttempt('control', ASKED)?.reportOverload(10 * SECOND);
    return { lasts: 10 * SECOND, isOn: () => isLimited(one, ASKED) };
  },
  'a URL is late again and again for one client and repository': async () => {
    const one = replica();
    for (let count = 0; count < config.breaker.consecutive; count += 1)
      one.tryStartAttempt('control', ASKED)?.reportAnswer('late');
    const isOn = () => obstacleTo(one.view(), 'control', monotonicNow(), ASKED)?.why.startsWith('late') === true;
    return { lasts: config.breaker.open, isOn };
  },
  'a URL is held down': () => {
    const one = replica();
    one.recordProbe({ ...GOOD, ok: false }, 1);
    const isOn = () => {
      for (let probes = 0; probes < config.probe.rise; probes += 1) one.recordProbe(GOOD, 1);
      return one.health.state === 'down';
    };
    return { lasts: config.probe.holdDown, isOn };
  },
  'a breaker is open': async (t) => {
    const breaker = await openBreaker(t);
    return { lasts: config.breaker.open, isOn: () => breaker.state === 'open' };
  },
  'the trial of a half-open breaker hangs': async (t, time) => {
    const breaker = await openBreaker(t);
    time.pass(config.breaker.open);
    breaker.admit();
    return { lasts: 30 * SECOND + 1, isOn: () => breaker.state === 'half-open' && !breaker.trialFree };
  },
  'a denial of the own credentials counts': () => {
    const watch = new CredentialWatch({ check: undefined, timing: config.probe, onNews: () => undefined });
    watch.reportDenial('401');
    return { lasts: MINUTE, isOn: () => watch.refusal !== undefined };
  },
  'a token of five minutes is cached': async () => {
    let fetched = 0;
    const authorizer = new Authorizer(new URL('http://x'), undefined, async () => {
      fetched += 1;
      return { value: `t${fetched}`, expiresIn: 300 };
    });
    authorizer.learnChallenge('Bearer realm="http://x/token"', undefined, []);
    await authorizer.authorization([]);
    const isOn = async () => {
      await authorizer.authorization([]);
      return fetched === 1;
    };
    return { lasts: 0.75 * 290 * SECOND, isOn };
  },
  'a name is resolved': async () => {
    let asked = 0;
    const resolver = new Resolver(async () => {
      asked += 1;
      return [{ address: '127.0.0.1', family: 4 }];
    });
    await resolver.addresses('x');
    const isOn = async () => {
      await resolver.addresses('x');
      return asked === 1;
    };
    return { lasts: 30 * SECOND, isOn };
  },
  'a grant is remembered': (t) => {
    const grants = new Grants([SECRET], DAY, new LedgerClock());
    t.teardown(() => grants.close());
    const ann = { authority: 'harbor', user: 'ann', password: 'x' };
    grants.remember(ann, ['library/a'], grants.now());
    return { lasts: DAY, isOn: () => grants.pullValidMs(ann, 'library/a') > 0 };
  },
  'the ledger knows a tag': (t) => {
    const ledger = new Ledger({ tags: 10, keep: 7 * DAY });
    t.teardown(() => ledger.close());
    const tag = { upstream: 'harbor', repository: 'a', tag: '1' };
    ledger.recordSeen(tag, A, ledger.now());
    return { lasts: 7 * DAY, isOn: () => ledger.judge(tag, A).verdict === 'current' };
  },
  'logins of a user are throttled': () => {
    const failures = new FailureLimit(10, 6 * SECOND);
    for (let count = 0; count < 10; count += 1) failures.recordFailures(['user ann']);
    return { lasts: 6 * SECOND, isOn: () => failures.waitMs(['user ann']) > 0 };
  },
  'a copy of a queue backs off': async (t) => {
    let tries = 0;
    const queue = new TaskQueue({
      concurrency: 1,
      work: async () => {
        tries += 1;
        throw new Error('503');
      },
      isRetryable: () => true,
      onFailure: () => undefined,
    });
    t.teardown(() => queue.stop());
    const repository = { source: 'a', target: 'a' };
    const copyRoute = { name: 'harbor -> gcr' } as CopyTask['copyRoute'];
    queue.add({ copyRoute, repository, reference: '1', kind: 'copy' }, 'fresh');
    await settled();
    const isOn = async () => {
      queue.retry();
      await settled();
      return tries === 1;
    };
    return { lasts: 15 * SECOND, isOn };
  },
  'a pull is in the log': () => {
    const log = new PulledLog();
    const pulled = { registry: undefined, repository: 'a', reference: '1', digest: A };
    log.record(pulled);
    return { lasts: 31 * DAY, isOn: () => log.find(pulledKey(pulled)) !== undefined };
  },
  'the copy of a blob is verified': () => {
    const copies = new CopyIntegrity('first');
    copies.claim('harbor', A)?.right(['harbor']);
    return { lasts: DAY, isOn: () => copies.isVerified('harbor', A) };
  },
  'a token of the edge is in use': async () => {
    const sealer = new TokenSealer([SECRET]);
    const issued = sealer.now();
    const content = { use: 'access', user: 'ann', service: 's' } as const;
    const token = await sealer.seal({ ...content, access: [], issued, expires: issued + HOUR });
    const isOn = async () => 'claims' in (await sealer.open(token));
    await isOn();
    // Its times are whole seconds.
    return { lasts: HOUR + MINUTE - (issued % SECOND), isOn };
  },
  'a session of the admin listener is in use': async () => {
    const sessions = new Sessions('a-token-of-the-admin-listener');
    const began = readClocks().wall;
    const cookie = (await sessions.start(false)).split(';')[0];
    const isOn = () => sessions.isIn(cookie);
    await isOn();
    return { lasts: 12 * HOUR + MINUTE - (began % SECOND), isOn };
  },
};

for (const [state, begin] of Object.entries(STATES))
  t.test(`${state}: just as long as ever, whatever is done to the host's clock`, async (t) => {
    for (const [name, step] of Object.entries(CLOCK_STEPS))
      await t.test(name, async (t) => {
        const time = new MockedTime(t);
        const { lasts, isOn } = await begin(t, time);
        t.equal(await isOn(), true, 'at first');
        time.setHostClock(step);
        t.equal(await isOn(), true, 'no sooner over');
        time.pass(lasts - 10);
        t.equal(await isOn(), true, 'to its last moment');
        time.pass(20);
        t.equal(await isOn(), false, 'and no longer');
      });
  });

t.test('one good probe clears a suspicion, though the clock was set back after the failure', async (t) => {
  for (const [name, step] of Object.entries(CLOCK_STEPS)) {
    const time = new MockedTime(t);
    const one = replica();
    one.recordProbe(GOOD, 1);
    one.recordCanary('failing');
    time.setHostClock(step);
    t.equal(one.view().suspected, true, name);
    one.recordProbe(GOOD, 5);
    t.equal(one.view().suspected, true, `${name}: that probe began before the failure`);
    time.pass(50);
    one.recordProbe(GOOD, 5);
    t.equal(one.view().suspected, false, name);
  }
});

t.test('failures of the last ten seconds open a breaker, whatever the clock did in between', async (t) => {
  for (const [name, step] of Object.entries(CLOCK_STEPS)) {
    const time = new MockedTime(t);
    const breaker = new Breaker({ ...config.breaker, consecutive: 100 }, () => undefined);
    const feed = async (...verdicts: ('good' | 'bad')[]) => {
      for (const verdict of verdicts) {
        breaker.admit()(verdict);
        await settled();
      }
    };
    for (let round = 0; round < 10; round += 1) await feed('bad', 'good');
    t.equal(breaker.state, 'closed', `${name}: ten of twenty`);
    time.setHostClock(step);
    await feed('bad');
    t.equal(breaker.state, 'open', `${name}: eleven of twenty-one`);
    breaker.dispose();
    const later = new Breaker({ ...config.breaker, consecutive: 100 }, () => undefined);
    for (let count = 0; count < 19; count += 1) later.admit()('bad');
    await settled();
    time.setHostClock(-step);
    time.pass(12 * SECOND);
    later.admit()('bad');
    await settled();
    t.equal(later.state, 'closed', `${name}: the others are too long ago`);
    later.dispose();
  }
});
