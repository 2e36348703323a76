import type { Attempt } from '../../../src/failover/plan.ts';
import type { CanaryState } from '../../../src/failover/view.ts';
import { OciError } from '../../../src/oci/error.ts';
import { ClientGone } from '../../../src/proxy/exchange.ts';
import type { attemptRead } from '../../../src/proxy/pull/attempt.ts';
import type { Overtime } from '../../../src/proxy/pull/attempt-deadline.ts';
import type { AttemptResult } from '../../../src/proxy/pull/attempt-result.ts';
import type { PullPlan } from '../../../src/proxy/pull/pull-plan.ts';
import { Race } from '../../../src/proxy/pull/race.ts';
import { HeaderList } from '../../../src/upstream/header-list.ts';
import type { Upstream } from '../../../src/upstream/upstream.ts';
import { libraryRoute, replica } from '../../failover/made-view.ts';

export type Result = AttemptResult & { discarded?: boolean };

export function served(name: string): Result {
  const result: Result = {
    outcome: 'served',
    answer: { status: 200, headers: HeaderList.fromRaw([]), redirected: false, url: new URL(`https://${name}`) },
    body: Buffer.from(name),
    permit: {
      reportEnd: () => {
        result.discarded = true;
      },
    },
  };
  return result;
}

export const failed: Result = { outcome: 'failed', reason: 'reset', detail: 'reset' };
export const absent: Result = { outcome: 'absent', confirmed: true, forClient: false };

export interface RaceOptions {
  /** Answers of these upstreams count only if the others fail. */
  provisional?: string[];
  /** The first upstream of the route. */
  preferred?: string;
  hiding?: string;
  /** What the canaries of all upstreams say. Default: good. */
  canary?: CanaryState;
  /** Whether attempts may go on when their time is over. Default: true. */
  overtime?: boolean;
}

/** A race of attempts that end when the test says so. Names are of upstreams, or of their further URLs: `harbor#2`. */
export function startRace(names: readonly string[], options: RaceOptions = {}) {
  const { provisional = [], preferred = 'harbor', hiding = '', canary = 'good', overtime = true } = options;
  const asked = new Map<string, (result: Result) => void>();
  const limits = new Map<string, Overtime>();
  const gone = new AbortController();
  const upstreamOf = (name: string) => name.split('#')[0] ?? '';
  const attempts = names.map((url): Attempt => {
    const at = { upstream: upstreamOf(url), url, repository: 'library/app', client: 'ann' };
    return { ...at, candidate: { upstream: at.upstream, prefix: '', replicate: false }, class: 'control', why: '' };
  });
  // All are slow: the race asks each of them before it uses the reserve.
  const upstream = {
    config: { deadlines: { manifest: 5000, blob: 5000, last: 25_000 }, hedge: { share: 0, floor: 4000 } },
    hedgeBudget: { earn: () => undefined, spend: () => false },
    replica: () => ({
      latency: { control: { p95: undefined } },
      view: () => replica('https://harbor', { slow: true }),
      startLongWait: () => () => undefined,
    }),
    view: () => ({ state: 'up', unhealthy: [] }),
    confirmCanary: async () => canary,
  } as unknown as Upstream;
  const plan: PullPlan = {
    route: libraryRoute({
      pull: [preferred, ...names].map((name) => ({ upstream: upstreamOf(name), prefix: '', replicate: false })),
    }),
    attempts,
    reading: () => ({}) as ReturnType<PullPlan['reading']>,
    content: 'library/app:1.2',
    absent: 'MANIFEST_UNKNOWN',
    provisional: ({ attempt }, slow) =>
      provisional.includes(attempt.upstream) || (attempt.upstream !== hiding && slow.has(hiding)),
    hiding,
    hasReserve: !overtime,
  };
  const scope = { gone: gone.signal, attempts: [], hedges: { started: 0, won: 0, refused: 0 }, elapsed: () => 0 };
  const attempt: typeof attemptRead = (_, { url }, __, limit, { signal }) => {
    if (limit.overtime) limits.set(url, limit.overtime);
    signal.addEventListener('abort', () => asked.get(url)?.(failed), { once: true });
    return new Promise<AttemptResult>((resolve) => asked.set(url, resolve));
  };
  const upstreams = new Map(attempts.map((one) => [one.upstream, upstream]));
  const race = new Race(scope, { upstreams }, plan, attempt);
  const outcome = race.run().then(
    ({ attempt: { url } }) => `won by ${url}`,
    (error: unknown) =>
      error instanceof OciError ? `lost: ${error.status}` : error instanceof ClientGone ? 'lost: gone' : 'failed',
  );
  const standing = () =>
    new Promise<string>((resolve) => {
      void outcome.then(resolve);
      setImmediate(() => resolve(`asked ${[...asked.keys()].at(-1)}`));
    });
  /** Ends the attempt at an upstream, and tells how the race stands then. */
  const end = async (name: string, result: Result): Promise<string> => {
    const resolve = asked.get(name);
    if (!resolve) throw new Error(`${name} was not asked`);
    resolve(result);
    return standing();
  };
  /** The time of an attempt is over: it goes on, or ends as a real one does. */
  const expire = async (name: string, hadPlace = true): Promise<{ goesOn: boolean; standing: string }> => {
    const goesOn = limits.get(name)?.start(hadPlace) !== undefined;
    const reason = hadPlace ? 'first-byte' : 'saturated';
    const ended: Result = { outcome: 'failed', reason, detail: 'its time is over' };
    return { goesOn, standing: goesOn ? await standing() : await end(name, ended) };
  };
  return { end, expire, standing, limit: (name: string) => limits.get(name), asked, leave: () => gone.abort() };
}
