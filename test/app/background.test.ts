import { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { upstreamSchema } from '../../src/config/upstream-schema.ts';
import { HashThread } from '../../src/digest/hash-thread.ts';
import { initialHealth } from '../../src/failover/health.ts';
import type { CanaryState } from '../../src/failover/view.ts';
import { type BackgroundTask, inBackground, onBackgroundError } from '../../src/http/background.ts';
import { TagStore } from '../../src/ledger/tag-store.ts';
import { PeerLink } from '../../src/peer/peer-link.ts';
import { PeerSealer } from '../../src/peer/peer-sealer.ts';
import { BlobPlaces } from '../../src/replication/copy/blob-places.ts';
import { Replicator, type ReplicatorOptions } from '../../src/replication/replicator.ts';
import { RouteReplication } from '../../src/replication/route-replication.ts';
import { type CopyTask, TaskQueue } from '../../src/replication/task-queue.ts';
import { DescriptorReserve } from '../../src/server/descriptor-reserve.ts';
import { CredentialWatch } from '../../src/upstream/credentials/credential-watch.ts';
import { Breaker } from '../../src/upstream/health/breaker.ts';
import { Prober } from '../../src/upstream/health/prober.ts';
import { UnconfirmedFailures } from '../../src/upstream/health/unconfirmed-failures.ts';
import { Resolver } from '../../src/upstream/resolver.ts';
import { UpstreamError } from '../../src/upstream/upstream-error.ts';
import { startLabSite } from '../helpers/lab-site.ts';
import { until } from '../helpers/until.ts';

/** Throws the first time that it is called, and counts the calls. */
function flaw(times = 1) {
  const made = {
    calls: 0,
    hit: () => {
      made.calls += 1;
      if (made.calls <= times) throw new Error('a flaw');
    },
  };
  return made;
}

const never = new AbortController().signal;
const { breaker, probe } = upstreamSchema.parse({ urls: ['http://127.0.0.1:1'] });
const copyRoute = { name: 'harbor -> gcr', source: { upstream: 'harbor' }, target: { upstream: 'gcr' } } as never;
const copyTask = (reference: string): CopyTask => ({
  copyRoute,
  repository: { source: 'a', target: 'a' },
  reference,
  kind: 'copy',
});

/** Each throws once in the task; resolves when the task was tried again, or goes on. */
const CASES: Record<string, { task: BackgroundTask; run: (t: Test) => Promise<unknown> }> = {
  'a report of a probe': {
    task: 'probe',
    run: async (t) => {
      const { calls, hit } = tracked();
      const replica = { canary: {}, health: initialHealth(0), recordProbe: () => undefined };
      const connection = { sendProbe: async () => Promise.reject(new Error('no')) };
      const timing = { ...probe, interval: 5, fastInterval: 5 };
      const looker = { listsAll: true, anonymous: true };
      const options = { looker, onReport: hit, account: () => undefined };
      const prober = new Prober(replica as never, connection as never, timing, options);
      t.teardown(() => prober.stop());
      await prober.start();
      await until(() => calls() > 2);
    },
  },
  'news of credentials': {
    task: 'credentials',
    run: async (t) => {
      const { hit } = tracked();
      let checks = 0;
      const check = async () => {
        checks += 1;
        throw new UpstreamError('credentials', 'no', { status: 401 });
      };
      const timing = { timeout: 1000, interval: 1, fastInterval: 1 };
      const watch = new CredentialWatch({ check, timing, onNews: hit });
      t.teardown(() => watch.stop());
      await watch.start();
      await until(() => checks > 2);
    },
  },
  'a read of the canary that decides about failures': {
    task: 'canary',
    run: async () => {
      const { hit } = tracked();
      const readCanary = async (): Promise<CanaryState> => {
        hit();
        return 'failing';
      };
      const failures = new UnconfirmedFailures({ readCanary, silenceMs: () => 1000, onSilence: () => undefined });
      const decided: boolean[] = [];
      failures.add((confirmed) => decided.push(confirmed));
      await until(() => decided.length === 1);
      failures.add((confirmed) => decided.push(confirmed));
      await until(() => decided.length === 2);
      if (decided.join() !== 'false,true') throw new Error(`decided ${decided}`);
    },
  },
  'a decision about a failure': {
    task: 'canary',
    run: async () => {
      const { hit } = tracked();
      const readCanary = async (): Promise<CanaryState> => 'failing';
      const failures = new UnconfirmedFailures({ readCanary, silenceMs: () => 1000, onSilence: () => undefined });
      const decided: boolean[] = [];
      failures.add(hit);
      failures.add((confirmed) => decided.push(confirmed));
      await until(() => decided.length === 1);
    },
  },
  'the change of a breaker': {
    task: 'breaker',
    run: async (t) => {
      const { hit } = tracked();
      const tripped = new Breaker({ ...breaker, consecutive: 2, open: 10 }, hit, () => 0.5);
      t.teardown(() => tripped.dispose());
      for (let time = 0; time < 2; time += 1) tripped.admit()('bad');
      await until(() => tripped.state === 'half-open');
    },
  },
  'whether copies may start': {
    task: 'copy',
    run: async (t) => {
      const { hit } = tracked();
      let done = 0;
      const isReady = () => {
        hit();
        return true;
      };
      const work = async () => {
        done += 1;
      };
      const queue = new TaskQueue({ concurrency: 1, work, isReady, isRetryable: () => true, onFailure: () => {} });
      t.teardown(() => queue.stop());
      queue.add(copyTask('1'), 'fresh');
      await until(() => done === 1);
    },
  },
  'the report of a failed copy': {
    task: 'copy',
    run: async (t) => {
      const { hit } = tracked();
      let done = 0;
      const work = async ({ reference }: CopyTask) => {
        if (reference === 'bad') throw new Error('no');
        done += 1;
      };
      const queue = new TaskQueue({ concurrency: 1, work, isRetryable: () => true, onFailure: hit });
      t.teardown(() => queue.stop());
      queue.add(copyTask('bad'), 'fresh');
      queue.add(copyTask('good'), 'fresh');
      await until(() => done === 1);
      await queue.onIdle();
      if (queue.failed.length !== 1) throw new Error('the failure is lost');
    },
  },
  'the report of a comparison': {
    task: 'comparison',
    run: async (t) => {
      const { hit } = tracked();
      const queue = new TaskQueue({
        concurrency: 1,
        work: async () => {},
        isRetryable: () => true,
        onFailure: () => {},
      });
      t.teardown(() => queue.stop());
      const route = new RouteReplication(copyRoute, {
        routes: [],
        config: { every: 3_600_000 },
        view: () => ({ state: 'up', credentials: {} }),
        registry: () => {
          throw new Error('no registry');
        },
        ledger: { now: () => 0 },
        tasks: queue,
        onReconcile: hit,
      } as never);
      await inBackground('comparison', () => route.reconcile(never))();
      if (!Number.isFinite(route.dueAt)) throw new Error('it is never compared again');
      await route.reconcile(never);
    },
  },
  'the look for work of replication': {
    task: 'replication',
    run: async (t) => {
      const { calls, hit } = tracked();
      const config = {
        images: 1,
        blobs: 1,
        maxBandwidth: 0,
        get when() {
          hit();
          return 'never';
        },
      };
      const replicator = new Replicator({ routes: [], config } as unknown as ReplicatorOptions);
      t.teardown(() => replicator.stop());
      replicator.start();
      await until(() => calls() > 1);
    },
  },
  'news of a peer': {
    task: 'peer',
    run: async (t) => {
      const { hit } = tracked();
      let asked = 0;
      const link = new PeerLink({
        url: 'https://edge',
        address: '192.0.2.1',
        ask: async () => {
          asked += 1;
          throw new Error('no answer');
        },
        sealer: () => new PeerSealer([Buffer.alloc(32)]),
        stores: [],
        node: 'a',
        now: () => 0,
        onState: hit,
      });
      t.teardown(() => link.stop());
      await link.start();
      await until(() => asked > 1);
    },
  },
  'the callback of a look-up': {
    task: 'names',
    run: async () => {
      const { hit } = tracked();
      const resolver = new Resolver(async () => [{ address: '192.0.2.1', family: 4 }]);
      resolver.lookup('name', { all: true }, hit);
      await new Promise((resolve) => setImmediate(resolve));
      await new Promise<void>((resolve) => resolver.lookup('name', { all: true }, () => resolve()));
    },
  },
  'the clean-up of the ledger': {
    task: 'ledger',
    run: async (t) => {
      let broken = false;
      let looks = 0;
      const now = () => {
        looks += 1;
        if (!broken) return 0;
        broken = false;
        throw new Error('a flaw');
      };
      const store = new TagStore(10, 10, now);
      t.teardown(() => store.close());
      store.set('a', [{ digest: `sha256:${'a'.repeat(64)}`, since: 0, confirmedAt: 0 }] as never);
      broken = true;
      const before = looks;
      await until(() => !broken && looks > before + 2);
    },
  },
  'a reply of the hash thread': {
    task: 'hash',
    run: async () => {
      const worker = Object.assign(new EventEmitter(), {
        ref: () => undefined,
        unref: () => undefined,
        postMessage: () => undefined,
        terminate: async () => worker.emit('exit', 1),
      });
      const ended = Promise.withResolvers<void>();
      new HashThread(worker as unknown as Worker, () => ended.resolve());
      worker.emit('message', [null]);
      await ended.promise;
    },
  },
  'the check of descriptors': {
    task: 'descriptors',
    run: async (t) => {
      const { calls, hit } = tracked();
      const reserve = new DescriptorReserve({
        open: () => 1,
        close: () => {
          if (reserve) hit();
        },
        onChange: () => undefined,
        onShort: () => undefined,
        onOver: () => undefined,
      });
      t.teardown(() => reserve.stop());
      reserve.start();
      await until(() => calls() > 1);
    },
  },
};

function tracked() {
  const made = flaw();
  return { calls: () => made.calls, hit: made.hit };
}

for (const [name, { task, run }] of Object.entries(CASES))
  t.test(`an exception ends one run of its task, and nothing else: ${name}`, async (t) => {
    const errors: string[] = [];
    const forget = onBackgroundError((of, error) =>
      errors.push(`${of}: ${error instanceof Error ? error.message : ''}`),
    );
    t.teardown(forget);
    await run(t);
    t.equal(errors.length, 1, errors.join());
    t.match(errors[0], new RegExp(`^${task}: `));
  });

t.test('places are given back by what throws', async (t) => {
  const places = new BlobPlaces(1);
  await t.rejects(places.run({}, never, () => Promise.reject(new Error('no'))));
  t.equal(await places.run({}, never, async () => 1), 1);
});

t.test('an exception of background work is logged and counted, and the edge serves', async (t) => {
  const { edge } = await startLabSite(t);
  await inBackground('scrub', () => {
    throw new Error('a flaw');
  })();
  await inBackground('scrub', async () => Promise.reject(new Error('another')))();
  const lines = edge.log.split('\n').filter((line) => line.includes('background work failed'));
  t.equal(lines.length, 2);
  t.match(JSON.parse(lines[0] ?? ''), { level: 50, task: 'scrub', err: { message: 'a flaw' } });
  const { body } = await edge.admin('/metrics');
  t.match(body, /^breakwater_background_errors_total\{task="scrub"\} 2$/m);
  t.match(body, /^breakwater_background_errors_total\{task="probe"\} 0$/m);
  t.equal((await edge.http1().ask('/v2/library/app/manifests/1')).status, 200);
});

t.test('what a run holds is released, and its arguments reach it', async (t) => {
  const ended: number[] = [];
  const errors: BackgroundTask[] = [];
  t.teardown(onBackgroundError((task) => errors.push(task)));
  const work = inBackground(
    'peer',
    (one: number, other: number) => {
      if (one === other) throw new Error('the same');
    },
    (one) => ended.push(one),
  );
  await work(1, 2);
  await work(3, 3);
  t.strictSame([ended, errors], [[3], ['peer']]);
});
