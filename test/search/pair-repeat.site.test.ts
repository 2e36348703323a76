import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import t from 'tap';
import { Cleanup } from '../helpers/cleanup.ts';
import { timeLimit } from '../helpers/time-limit.ts';
import { pair } from './pair.ts';
import type { PairSchedule } from './pair-schedule.ts';

const STARTS = 'http.server.request.start';

/**
 * Every request that any server of this process gets while the schedule is played: when, at which server, and what. Those of the same
 * millisecond are sorted, because the kernel decides which of several connections is read first.
 */
async function requestsOf(schedule: PairSchedule): Promise<string[]> {
  const requests: string[] = [];
  const ports = new Map<number | undefined, number>();
  let begin: number | undefined;
  const note = (message: unknown) => {
    const { method, url = '', socket } = (message as { request: IncomingMessage }).request;
    begin ??= Date.now();
    if (!ports.has(socket.localPort)) ports.set(socket.localPort, ports.size);
    // What an edge seals is different each time.
    requests.push(`${Date.now() - begin} ${ports.get(socket.localPort)} ${method} ${url.split('/uploads/')[0]}`);
  };
  const cleanup = new Cleanup();
  subscribe(STARTS, note);
  await pair.run(cleanup, [schedule]);
  unsubscribe(STARTS, note);
  await cleanup.run();
  return requests.sort((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10) || (one < other ? -1 : 1));
}

t.test('a schedule is played in the same way each time', { timeout: timeLimit(60_000) }, async (t) => {
  const [schedule] = fc.sample(pair.schedules, { numRuns: 1, seed: 101 * 1_000_003 + 415 });
  if (!schedule) throw new Error('no schedule');
  const [first, second] = [await requestsOf(schedule), await requestsOf(schedule)];
  t.ok(first.length > 500);
  t.strictSame(second, first);
});
