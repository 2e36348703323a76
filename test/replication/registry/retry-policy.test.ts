import fc from 'fast-check';
import t from 'tap';
import { CopyError } from '../../../src/replication/copy-error.ts';
import { RetryPolicy, type RetryPolicyOptions } from '../../../src/replication/registry/retry-policy.ts';
import { UpstreamError } from '../../../src/upstream/upstream-error.ts';

const never = new AbortController().signal;

/** A clock that goes on by what is waited for, and says what that was. */
function clocked(options: RetryPolicyOptions = {}) {
  const clock = { now: 1000, waits: [] as number[] };
  const wait = async (ms: number, signal: AbortSignal) => {
    signal.throwIfAborted();
    clock.waits.push(ms);
    clock.now += ms;
  };
  const policy = new RetryPolicy({
    firstPauseMs: 100,
    longestPauseMs: 400,
    limitMs: 2000,
    random: () => 0,
    ...options,
  });
  const timed = new RetryPolicy({
    ...{ firstPauseMs: 100, longestPauseMs: 400, limitMs: 2000, random: () => 0 },
    ...options,
    now: () => clock.now,
    wait,
  });
  return { policy: timed, clock, untimed: policy };
}

const retryable = (retryAfterMs?: number) =>
  new CopyError('for now', { retryable: true, ...(retryAfterMs ? { retryAfterMs } : {}) });

function failing(times: number, error: () => unknown = retryable) {
  let tries = 0;
  const work = async () => {
    tries += 1;
    if (tries <= times) throw error();
    return tries;
  };
  return work;
}

t.test('again and again, with pauses that double and end growing', async (t) => {
  const { policy, clock } = clocked();
  t.equal(await policy.run('app', never, failing(5)), 6);
  t.strictSame(clock.waits, [100, 200, 400, 400, 400]);
});

t.test('pauses are shortened by chance, by half at the most', async (t) => {
  const { policy, clock } = clocked({ random: () => 0.999 });
  await policy.run('app', never, failing(2));
  t.ok(clock.waits.every((ms, index) => ms >= 50 * 2 ** index && ms < 51 * 2 ** index));
});

t.test('no longer than the limit', async (t) => {
  const { policy, clock } = clocked();
  await t.rejects(policy.run('app', never, failing(99)), { message: 'for now' });
  t.ok(clock.now - 1000 <= 2000, `${clock.now - 1000} ms`);
});

t.test('permanent failures are not retried', async (t) => {
  const { policy, clock } = clocked();
  for (const error of [
    new CopyError('for good'),
    new UpstreamError('malformed', 'nonsense'),
    new UpstreamError('redirect-host', 'elsewhere'),
    new UpstreamError('credentials', 'refused'),
    new TypeError('our own mistake'),
  ])
    await t.rejects(
      policy.run(
        'app',
        never,
        failing(1, () => error),
      ),
      error,
    );
  t.strictSame(clock.waits, []);
  t.equal(
    await policy.run(
      'app',
      never,
      failing(1, () => new UpstreamError('reset', 'cut')),
    ),
    2,
    'a reset does',
  );
});

t.test('a registry that sends Retry-After gets no requests until then', async (t) => {
  const { policy, clock } = clocked();
  const first = policy.run(
    'app',
    never,
    failing(1, () => retryable(1500)),
  );
  await first;
  t.equal(clock.now - 1000, 1500, 'the pause counts as rest');
  const { policy: other, clock: time } = clocked();
  await t.rejects(
    other.run(
      'app',
      never,
      failing(1, () => retryable(60_000)),
    ),
    { retryAfterMs: 60_000, name: 'CopyError' },
  );
  t.equal(other.backoffMs('app'), 60_000, 'but it is left alone');
  const asked: number[] = [];
  await other.run('app', never, async () => asked.push(time.now));
  t.strictSame(asked, [61_000]);
});

t.test('rest that others ask for meanwhile is kept too', async (t) => {
  const { policy, clock } = clocked();
  let tries = 0;
  await policy.run('app', never, async () => {
    tries += 1;
    if (tries > 1) return;
    // Another request is told to stay away for longer, while this one waits.
    policy
      .run(
        'app',
        never,
        failing(1, () => retryable(1000)),
      )
      .catch(() => undefined);
    await Promise.resolve();
    throw retryable(200);
  });
  t.ok(clock.now >= 2000, `asked again at ${clock.now}`);
});

t.test('after a Retry-After not all requests are sent at once', async (t) => {
  let number = 0;
  const { policy, clock } = clocked({
    random: () => {
      number += 0.1;
      return number % 1;
    },
  });
  await t.rejects(
    policy.run(
      'app',
      never,
      failing(1, () => retryable(5000)),
    ),
  );
  await policy.run('app', never, async () => undefined);
  t.ok(clock.now > 6000 && clock.now < 6100, `${clock.now}`);
});

t.test('one that fails in everything is given a single try by each, until something goes well', async (t) => {
  const { policy, clock } = clocked();
  await t.rejects(policy.run('app', never, failing(99)));
  clock.now += 1000;
  let tries = 0;
  const count = async () => {
    tries += 1;
    throw retryable();
  };
  await t.rejects(policy.run('app', never, count));
  t.equal(tries, 1);
  await policy.run('app', never, async () => undefined);
  await t.rejects(policy.run('app', never, count));
  t.ok(tries > 4, 'all is forgiven');
  clock.now += 3_600_000;
  tries = 0;
  await t.rejects(policy.run('app', never, count));
  t.ok(tries > 4, 'what was an hour ago says nothing');
});

t.test('a refusal is an answer', async (t) => {
  const { policy } = clocked();
  await t.rejects(policy.run('app', never, failing(99)));
  await t.rejects(
    policy.run(
      'app',
      never,
      failing(1, () => new CopyError('no')),
    ),
  );
  let tries = 0;
  await t.rejects(
    policy.run('app', never, async () => {
      tries += 1;
      throw retryable();
    }),
  );
  t.ok(tries > 1);
});

t.test('an aborted call does not wait', async (t) => {
  const abort = new AbortController();
  const { untimed } = clocked({ firstPauseMs: 60_000, longestPauseMs: 60_000, limitMs: 1e9 });
  const waiting = untimed.run('app', abort.signal, failing(9));
  setImmediate(() => abort.abort(new Error('enough')));
  await t.rejects(waiting);
  await t.rejects(
    clocked().policy.run('app', abort.signal, async () => 1),
    { message: 'enough' },
  );
});

t.test('a beginning anew is preceded by a pause', async (t) => {
  const { policy, clock } = clocked();
  t.equal(await policy.runAfterFailure(retryable(700), 'app', never, async () => clock.now), 1700);
  t.strictSame(clock.waits, [100, 600]);
});

t.test('however it fails: never beyond the limit by more than a pause, never without an end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined }), { maxLength: 40 }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })),
      async (failures, chances) => {
        const { policy, clock } = clocked({ random: () => chances.next().value ?? 0 });
        let tries = 0;
        const result = await policy
          .run('app', never, async () => {
            const failure = failures[tries];
            tries += 1;
            if (tries <= failures.length) throw retryable(failure);
            return 'done';
          })
          .catch((error) => error);
        if (result === 'done') return tries === failures.length + 1 && clock.now - 1000 <= 2000 + 100 * tries;
        return result instanceof CopyError && tries <= failures.length && clock.now - 1000 <= 2000 + 100 * tries;
      },
    ),
  );
});

t.test('rest that is asked for one repository holds for that one, until three are asked', async (t) => {
  const { policy, clock } = clocked();
  const ask = (repository: string) =>
    t.rejects(
      policy.run(
        repository,
        never,
        failing(1, () => retryable(60_000)),
      ),
      { name: 'CopyError', retryAfterMs: 60_000 },
    );
  const began = clock.now;
  await ask('a');
  await ask('b');
  await policy.run('c', never, async () => undefined);
  t.equal(clock.now, began, 'another repository does not wait');
  t.equal(policy.backoffMs('a'), 60_000);
  await ask('d');
  t.equal(policy.backoffMs('c'), 60_000, 'it is the registry');
  await policy.run('c', never, async () => undefined);
  t.equal(clock.now, began + 60_000);
  await ask('a');
  t.equal(policy.forCopies().backoffMs('c'), 0, 'copies are tried one at a time instead');
});

t.test('a copy that can be tried again later does not wait', async (t) => {
  const { policy, clock } = clocked();
  const hasty = policy.forCopies();
  t.equal(hasty.limitMs, 500);
  const began = clock.now;
  await t.rejects(hasty.run('app', never, failing(99)));
  t.ok(clock.now - began < 500, `${clock.now - began} ms`);
  await t.rejects(
    policy.run(
      'app',
      never,
      failing(1, () => retryable(60_000)),
    ),
  );
  const again = clock.now;
  await t.rejects(
    hasty.run('app', never, async () => t.fail('the registry was asked')),
    { name: 'CopyError', retryable: true, retryAfterMs: 60_000, message: 'app is rate-limited for 60 s more' },
    'what one of the policies was told holds for the other one',
  );
  await t.rejects(
    policy.run(
      '',
      never,
      failing(1, () => retryable(30_000)),
    ),
  );
  await t.rejects(hasty.run('', never, failing(0)), { message: 'the registry is rate-limited for 30 s more' });
  t.equal(clock.now, again);
  await policy.run(
    'other',
    never,
    failing(1, () => retryable(100)),
  );
  t.equal(await hasty.run('other', never, failing(0)), 1);
});
