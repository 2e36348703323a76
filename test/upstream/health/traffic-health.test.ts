import t, { type Test } from 'tap';
import { monotonicNow } from '../../../src/clock/clock.ts';
import { configSchema } from '../../../src/config/schema.ts';
import type { CanaryState } from '../../../src/failover/view.ts';
import { HeaderList } from '../../../src/upstream/header-list.ts';
import { AttemptPermit } from '../../../src/upstream/health/attempt-permit.ts';
import type { AttemptVerdict } from '../../../src/upstream/health/breaker.ts';
import { TrafficHealth } from '../../../src/upstream/health/traffic-health.ts';
import { MockedTime } from '../../helpers/host-clock.ts';

const config = configSchema.shape.upstreams.valueType.parse({ urls: ['http://x'], breaker: { open: '5s' } });
const APP = { client: 'ann', repository: 'app' };

let time: MockedTime;
/** Not for all tests of the process, because hooks at the root are for other files of the folder too. */
function mockTime(t: Test): void {
  time = new MockedTime(t);
}

/** Outcomes reach opossum in microtasks. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

/** What requests show of a URL whose canary says what the test wants. */
function made(canary: { state: CanaryState | Promise<CanaryState> }) {
  let reads = 0;
  let troubles = 0;
  const traffic = new TrafficHealth({
    config,
    onBreaker: () => undefined,
    onTrouble: () => {
      troubles += 1;
    },
    readCanary: async () => {
      reads += 1;
      return canary.state;
    },
  });
  const report = async (verdict: AttemptVerdict, evidence = APP, times = 1) => {
    for (let count = 0; count < times; count += 1) {
      const permit = new AttemptPermit(traffic.admit('data', evidence), () => undefined);
      permit.reportAnswer(verdict);
      permit.reportEnd('neutral');
      await settled();
      time.pass(100);
      await settled();
    }
  };
  return { traffic, report, reads: () => reads, troubles: () => troubles };
}

t.test('failures of one client and repository, while the canary is good', async (t) => {
  mockTime(t);
  const { traffic, report, reads } = made({ state: 'good' });
  await report('bad', APP, 20);
  await report('late', APP, 20);
  t.equal(traffic.breakers.data, 'closed');
  t.equal(traffic.suspicion.suspected, false);
  t.ok(reads() >= 20, 'the canary was read after each');
  traffic.dispose();
});

t.test('a failure is trouble for ten seconds, also if it does not count', async (t) => {
  mockTime(t);
  const { traffic, report } = made({ state: 'good' });
  t.equal(traffic.hasTrouble, false);
  await report('bad');
  t.strictSame([traffic.suspicion.suspected, traffic.hasTrouble], [false, true]);
  time.pass(9800);
  t.equal(traffic.hasTrouble, true);
  time.pass(100);
  t.equal(traffic.hasTrouble, false);
  traffic.dispose();
});

t.test('a probe that is good, but slower than a probe may be, leaves the upstream suspected as slow', async (t) => {
  mockTime(t);
  const { traffic } = made({ state: 'good' });
  const { timeout } = config.probe;
  const probed = (tookMs: number) => {
    time.pass(5000);
    traffic.probeWasGood(monotonicNow(), tookMs);
    return [traffic.suspicion.suspected, traffic.suspicion.asSlow];
  };
  t.strictSame(probed(timeout), [false, false]);
  t.strictSame(probed(timeout + 1), [true, true]);
  t.strictSame(probed(timeout + 1), [true, true]);
  t.strictSame(probed(timeout), [false, false]);
  traffic.dispose();
});

t.test('the same while the canary fails', async (t) => {
  mockTime(t);
  const { traffic, report } = made({ state: 'failing' });
  await report('bad', APP);
  t.equal(traffic.suspicion.suspected, true);
  t.equal(traffic.suspicion.asSlow, false);
  await report('bad', APP, 4);
  t.equal(traffic.breakers.data, 'open', 'five of them open the breaker, as fast as ever');
  traffic.dispose();
});

t.test('failures of several clients and repositories, while the canary is good', async (t) => {
  mockTime(t);
  const { traffic, report } = made({ state: 'good' });
  for (const name of ['1', '2', '3', '4']) await report('bad', { client: name, repository: name });
  t.equal(traffic.suspicion.suspected, true);
  t.equal(traffic.breakers.data, 'closed', 'four are not enough');
  await report('bad', { client: '5', repository: '5' });
  t.equal(traffic.breakers.data, 'open');
  t.equal(traffic.breakers.control, 'closed', 'only its class');
  traffic.dispose();
});

t.test('late answers of several', async (t) => {
  mockTime(t);
  const { traffic, report } = made({ state: 'good' });
  for (const name of ['1', '2']) await report('late', { client: name, repository: name });
  t.equal(traffic.suspicion.suspected, false);
  await report('late', { client: '3', repository: '3' });
  t.match({ ...shown(traffic) }, { suspected: true, asSlow: true });
  await report('bad', { client: '4', repository: '4' });
  t.match({ ...shown(traffic) }, { suspected: true, asSlow: false }, 'a failure is more than slowness');
  traffic.dispose();
});

function shown({ suspicion: { suspected, asSlow } }: TrafficHealth): object {
  return { suspected, asSlow };
}

t.test('late answers of one client and repository are remembered for them alone', async (t) => {
  mockTime(t);
  const { traffic, report } = made({ state: 'good' });
  await report('late', APP, 5);
  t.match(traffic.pairBackoff.current(APP, 'data', monotonicNow()), { why: 'late' });
  await report('good');
  t.equal(traffic.pairBackoff.current(APP, 'data', monotonicNow()), undefined);
  traffic.dispose();
});

t.test(
  'after late answers of one client and repository, each attempt is a trial, and those between two trials are not',
  async (t) => {
    mockTime(t);
    const { traffic } = made({ state: 'good' });
    const late = () => {
      const permit = new AttemptPermit(traffic.admit('data', APP), () => undefined);
      permit.reportAnswer('late');
      permit.reportEnd('neutral');
    };
    for (let count = 0; count < 5; count += 1) late();
    const backoff = () => traffic.pairBackoff.current(APP, 'data', monotonicNow());
    traffic.recover();
    t.equal(backoff(), undefined, 'the recovery of the URL ends it');
    const trial = new AttemptPermit(traffic.admit('data', APP), () => undefined);
    t.match(backoff(), { why: 'late', until: monotonicNow() + 1000 }, 'for one attempt');
    time.pass(1000);
    t.equal(backoff(), undefined, 'and for another one, if that one has shown nothing for a second');
    trial.reportAnswer('good');
    trial.reportEnd('good');
    traffic.admit('data', APP).body('neutral');
    t.equal(backoff(), undefined, 'and for all when it was good');
    traffic.dispose();
  },
);

t.test('a canary that hangs: the URL is suspected as slow as soon as the canary is later than usual', async (t) => {
  mockTime(t);
  const canary = Promise.withResolvers<CanaryState>();
  const { traffic, report } = made({ state: canary.promise });
  for (const ms of [10, 200, 30]) traffic.probeWasGood(monotonicNow(), ms);
  await report('late');
  time.pass(299);
  t.equal(traffic.suspicion.suspected, false, 'twice its usual time has not passed');
  time.pass(1);
  t.match(shown(traffic), { suspected: true, asSlow: true });
  canary.resolve('good');
  await settled();
  t.equal(traffic.suspicion.suspected, false, 'it was merely slow');
  traffic.dispose();
});

t.test('a canary that hangs where its usual time is not known: its timeout decides', async (t) => {
  mockTime(t);
  const canary = Promise.withResolvers<CanaryState>();
  const { traffic, report } = made({ state: canary.promise });
  await report('bad');
  time.pass(config.probe.timeout - 101);
  t.equal(traffic.suspicion.suspected, false);
  time.pass(1);
  t.equal(traffic.suspicion.suspected, true);
  canary.resolve('failing');
  await settled();
  t.match(shown(traffic), { suspected: true, asSlow: false }, 'and the failure counts');
  traffic.dispose();
});

t.test('while the canary is read, further failures wait for the next read', async (t) => {
  mockTime(t);
  const first = Promise.withResolvers<CanaryState>();
  const canary: { state: CanaryState | Promise<CanaryState> } = { state: first.promise };
  const { traffic, report, reads } = made(canary);
  await report('bad', APP, 5);
  t.equal(reads(), 1);
  canary.state = 'failing';
  first.resolve('good');
  await settled();
  t.equal(traffic.suspicion.suspected, false, 'the read that began before them says nothing about four of them');
  time.pass(100);
  await settled();
  t.equal(reads(), 2);
  t.equal(traffic.suspicion.suspected, true);
  t.equal(traffic.breakers.data, 'closed', 'four count');
  traffic.dispose();
});

t.test('a trial of a half-open breaker that fails for a reason of its own neither opens nor closes it', async (t) => {
  mockTime(t);
  const canary: { state: CanaryState } = { state: 'failing' };
  const { traffic, report } = made(canary);
  await report('bad', APP, 5);
  canary.state = 'good';
  time.pass(6000);
  t.equal(traffic.breakers.data, 'half-open');
  t.ok(traffic.trialFree.data);
  await report('bad');
  t.equal(traffic.breakers.data, 'half-open');
  t.ok(traffic.trialFree.data, 'the next request is a trial again');
  canary.state = 'failing';
  await report('bad');
  t.equal(traffic.breakers.data, 'open');
  time.pass(11_000);
  await report('good');
  t.equal(traffic.breakers.data, 'closed', 'a good trial closes it');
  traffic.dispose();
});

t.test('overload', async (t) => {
  mockTime(t);
  const { traffic, reads, troubles } = made({ state: 'good' });
  const overload = (client: string, repository: string, retryAfter?: string) => {
    const permit = new AttemptPermit(traffic.admit('data', { client, repository }), () => undefined);
    const headers = retryAfter === undefined ? [] : ['retry-after', retryAfter];
    permit.reportStatus({ status: 503, headers: HeaderList.fromRaw(headers) });
    permit.reportOverload(1);
    permit.reportEnd('neutral');
  };
  for (let count = 0; count < 20; count += 1) overload('ann', 'app', '60');
  t.equal(traffic.retryAfterUntil, 0, 'one client and repository do not silence the upstream for others');
  t.match(traffic.pairBackoff.current(APP, 'data', monotonicNow()), { why: 'limited', until: monotonicNow() + 60_000 });
  overload('ben', 'two', '60');
  t.equal(traffic.retryAfterUntil, 0);
  overload('cleo', 'three', '60');
  t.equal(traffic.retryAfterUntil, monotonicNow() + 60_000, 'three do');
  t.equal(reads() + troubles(), 0, 'and none of it is a failure');
  t.equal(traffic.breakers.data, 'closed');
  overload('ann', 'app');
  t.equal(troubles(), 1, 'a 503 without Retry-After is one');
  traffic.dispose();
});

t.test('bodies of a class without a breaker for them', async (t) => {
  mockTime(t);
  const { traffic } = made({ state: 'failing' });
  const permit = new AttemptPermit(traffic.admit('push', APP), () => undefined);
  permit.reportStatus({ status: 202, headers: HeaderList.fromRaw([]) });
  permit.reportEnd('bad');
  permit.reportEnd('bad');
  await settled();
  t.equal(traffic.suspicion.suspected, true);
  t.equal(traffic.breakers.push, 'closed');
  traffic.dispose();
});

t.test('more failures than can wait, and an end with some waiting', async (t) => {
  mockTime(t);
  const { traffic } = made({ state: new Promise(() => undefined) });
  const reports = Array.from({ length: 300 }, () => traffic.admit('data', APP));
  for (const { answer } of reports) answer('bad');
  await settled();
  t.equal(traffic.suspicion.suspected, false);
  traffic.dispose();
  await settled();
  t.equal(traffic.breakers.data, 'closed');
});
