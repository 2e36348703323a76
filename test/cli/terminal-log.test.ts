import t from 'tap';
import { lineOf, terminalLog } from '../../src/cli/terminal-log.ts';
import type { RequestRecord } from '../../src/proxy/record.ts';

const request: RequestRecord = {
  id: 'x',
  method: 'GET',
  protocol: 'HTTP/1.1',
  client: '127.0.0.1',
  kind: 'blob',
  repository: 'library/app',
  reference: `sha256:${'0'.repeat(64)}`,
  upstream: 'gcr',
  preferred: 'harbor',
  attempts: [],
  hedges: { started: 0, won: 0, refused: 0 },
  splices: [],
  status: 200,
  outcome: 'fallback',
  detail: 'harbor: first-byte',
  bytesIn: 0,
  bytesOut: 1,
  startedAt: 0,
  firstByteMs: 1,
  totalMs: 12,
};

t.test('one line for what a person who watches wants to know', async (t) => {
  t.match(
    lineOf({ msg: 'request', request }),
    /^\d\d:\d\d:\d\d {2}GET +blob +library\/app@sha256:000000000000 200 from gcr \(fallback\) 12 ms - harbor: first-byte$/,
  );
  const tag = { ...request, kind: 'manifest', reference: 'v1', outcome: 'served', upstream: 'harbor' } as const;
  t.match(lineOf({ request: tag }), / manifest library\/app:v1 200 from harbor 12 ms$/);
  t.equal(lineOf({ request: { ...tag, kind: 'ping' } }), undefined, 'a ping is not news');
  t.match(lineOf({ request: { ...tag, kind: 'ping', outcome: 'failed', status: 503 } }), / ping +.*503/);
  t.match(
    lineOf({ upstream: 'harbor', msg: 'upstream is down', reason: 'timed out', url: 'x' }),
    / {2}harbor: upstream is down - timed out$/,
  );
});

t.test('a log that prints such lines', async (t) => {
  const lines: string[] = [];
  const log = terminalLog((line) => lines.push(line));
  log.info({ upstream: 'gcr', class: 'data', state: 'open' }, 'breaker is open');
  log.error({ err: new Error('no such thing') }, 'listener');
  log.debug('nothing');
  t.match(lines, [/gcr: breaker is open - data$/, /listener - no such thing$/]);
  t.equal(lines.length, 2);
});
