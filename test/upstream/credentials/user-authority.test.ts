import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { monotonicNow } from '../../../src/clock/clock.ts';
import type { HealthState, ReplicaView } from '../../../src/failover/view.ts';
import type { Answer } from '../../../src/upstream/client.ts';
import { UserAuthority } from '../../../src/upstream/credentials/user-authority.ts';
import { UserTokens } from '../../../src/upstream/credentials/user-tokens.ts';
import { HeaderList } from '../../../src/upstream/header-list.ts';
import { UpstreamError } from '../../../src/upstream/upstream-error.ts';
import { stayAlive } from '../../helpers/stay-alive.ts';
import { until } from '../../helpers/until.ts';

const ANN = 'Basic YW5uOnNlY3JldA==';
const PULL = { type: 'repository', name: 'library/a', actions: ['pull'] };

/**
 * What a URL does: the status that it answers with credentials, an error that it fails with, or nothing. `blocked`: it accepts the login, but
 * this process gets no CPU for longer than the deadline.
 */
type Does = number | UpstreamError | 'silent' | 'blocked';

/** Keeps the event loop from turning, as other processes do that take the CPU. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

interface Given {
  does: Record<string, Does>;
  states?: Record<string, HealthState>;
  suspected?: string[];
  state?: HealthState;
  since?: number;
  unhealthy?: string[];
  slots?: number;
  deadline?: number;
}

function authority(given: Given) {
  const { does, states = {}, suspected = [], slots = 1 } = given;
  const asked: string[] = [];
  const live = { ...given, does };
  const tokensOf = (url: string) =>
    new UserTokens({
      upstream: new URL(url),
      send: (_, { authorization }) => {
        const doing = live.does[url] ?? 'silent';
        if (asked.at(-1) !== url) asked.push(url);
        if (doing === 'silent') return new Promise<Answer>(() => undefined);
        if (doing instanceof UpstreamError) return Promise.reject(doing);
        const code = doing === 'blocked' ? 200 : doing;
        const headers = new HeaderList(code < 500 ? [['www-authenticate', 'Basic realm="x"']] : []);
        const status = authorization === undefined && code < 500 ? 401 : code;
        // The answer comes a while after the event loop turns again.
        const pause = async () => {
          await delay(10);
          block(600);
          await delay(10);
        };
        const arrives = doing === 'blocked' ? pause() : Promise.resolve();
        if (doing === 'blocked') live.does[url] = 200;
        return arrives.then(() => ({ status, headers, body: { dump: () => Promise.resolve() } }) as unknown as Answer);
      },
      sendElsewhere: () => Promise.reject(new Error('nothing is elsewhere')),
    });
  let free = slots;
  const users = new UserAuthority({
    name: 'harbor',
    deadline: given.deadline ?? 50,
    view: () => ({
      state: live.state ?? 'up',
      reason: 'canary',
      since: live.since ?? 0,
      unhealthy: live.unhealthy ?? [],
      replicas: Object.keys(does).map(
        (url) => ({ url, state: states[url] ?? 'up', suspected: suspected.includes(url) }) as ReplicaView,
      ),
    }),
    tokens: tokensOf,
    delaysRefusals: () => false,
    acquireSlot: async () => {
      if (free === 0) return undefined;
      free -= 1;
      return () => {
        free += 1;
      };
    },
  });
  return { users, asked, live, ask: () => users.ask(ANN, [PULL], []).catch((error: unknown) => error) };
}

const [A, B, C] = ['https://a.lan', 'https://b.lan', 'https://c.lan'] as const;
const refused = new UpstreamError('connect', 'refused');

stayAlive(t);

t.test('another URL is asked when the first cannot decide', async (t) => {
  const rows: [string, Given, object, string[]][] = [
    ['the first is well', { does: { [A]: 200, [B]: 200 } }, { outcome: 'granted', granted: [PULL] }, [A]],
    ['not reached', { does: { [A]: refused, [B]: 200 } }, { outcome: 'granted' }, [A, B]],
    ['it hangs', { does: { [A]: 'silent', [B]: 200 } }, { outcome: 'granted' }, [A, B]],
    ['it fails', { does: { [A]: 500, [B]: 200 } }, { outcome: 'granted' }, [A, B]],
    ['a wrong password is asked about once', { does: { [A]: 401, [B]: 200 } }, { outcome: 'refused' }, [A]],
    [
      'too much to do',
      { does: { [A]: new UpstreamError('rate-limited', ''), [B]: 200 } },
      { reason: 'rate-limited' },
      [A],
    ],
    ['two at most', { does: { [A]: 'silent', [B]: refused, [C]: 200 } }, { reason: 'connect' }, [A, B]],
    ['the last one hangs', { does: { [A]: refused, [B]: 'silent' } }, { reason: 'first-byte' }, [A, B]],
    ['down comes last', { does: { [A]: 200, [B]: 200 }, states: { [A]: 'down' } }, { outcome: 'granted' }, [B]],
    ['so does trouble', { does: { [A]: 200, [B]: 200 }, suspected: [A] }, { outcome: 'granted' }, [B]],
    [
      'an edge without CPU is no silence',
      { does: { [A]: 'blocked', [B]: 401 }, deadline: 400 },
      { outcome: 'granted' },
      [A],
    ],
    ['no slot', { does: { [A]: 200 }, slots: 0 }, { reason: 'saturated' }, [A]],
    ['all is down, but for its users', { does: { [A]: 200 }, state: 'down' }, { outcome: 'granted' }, [A]],
    ['no database, as it was last told', { does: { [A]: 200 }, unhealthy: ['database'] }, { outcome: 'granted' }, [A]],
  ];
  for (const [name, given, answer, urls] of rows) {
    const { ask, asked } = authority(given);
    t.match(await ask(), answer, name);
    t.strictSame(asked, urls, name);
  }
});

t.test('silent: it could not say when it was last asked, or could not now', async (t) => {
  const { users, live, ask } = authority({ does: { [A]: 200 } });
  t.equal(users.unavailable, false, 'nothing is known yet');
  live.does[A] = 500;
  await ask();
  t.equal(users.unavailable, true);
  live.since = monotonicNow() + 1;
  t.equal(users.unavailable, false, 'it has been down since, and come up');
  live.since = 0;
  live.does[A] = 401;
  await users.checkReachable([]);
  t.equal(users.unavailable, false, 'a refusal is an answer');
  live.state = 'down';
  t.equal(users.unavailable, false, 'it may be well without its storage');
  live.since = monotonicNow() + 1;
  t.equal(users.unavailable, true, 'as long as it has not answered since');
  live.since = 0;
  live.state = 'up';
  live.unhealthy = ['database'];
  t.equal(users.unavailable, true);
  live.unhealthy = [];
  t.equal(users.unavailable, false, 'nobody had to ask');
});

t.test('an authority that is down and does not answer is tried in the background', async (t) => {
  const { live, ask, asked } = authority({ does: { [A]: 'silent' }, state: 'down', since: monotonicNow() });
  t.match(await ask(), { reason: 'first-byte' }, 'it may answer without its storage');
  t.match(await ask(), { reason: 'connect', message: /has been down since \d{4}-.*Z \(/ });
  live.does[A] = 200;
  asked.length = 0;
  await until(async () => {
    const answer = await ask();
    return 'outcome' in (answer as object);
  });
  t.ok(asked.length > 0);
});

t.test('a canary login shows what a refusal means', async (t) => {
  const { users, live, ask } = authority({ does: { [A]: 200 } });
  users.useCanary({ username: 'robot', password: 'x', realmHosts: [], scopes: [] });
  t.match(await users.health(), { canary: { state: 'well' }, unhealthy: [] });
  live.does[A] = 401;
  t.match(await ask(), { outcome: 'refused' });
  t.match(await users.health(), { canary: { state: 'failing' } });
  t.equal(users.unavailable, true, 'it refuses every login');
  const unreachable = await users.checkReachable([]).catch((error: unknown) => error);
  t.match(unreachable, { reason: 'authority-dead' });
  t.match(await ask(), { outcome: 'refused' });
  t.equal(users.unavailable, true, 'another refusal is no sign of life');
  t.match(await users.judge({ key: undefined }), { verdict: 'sick' });
  live.does[A] = 200;
  await ask();
  t.equal(users.unavailable, false);
  t.match(await users.health(), { canary: { state: 'well' } });
  live.does[A] = 401;
  await ask();
  t.match(await users.health(), { canary: { state: 'failing' } }, 'refused again');
  live.does[A] = 200;
  await users.checkReachable([]);
  t.equal(users.unavailable, false);
  users.useCanary(undefined);
  t.match(await users.health(), { canary: { state: 'none' } });
});
