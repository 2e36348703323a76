import t from 'tap';
import { lineOf, terminalLog } from '../../../src/cli/serve/terminal-log.ts';
import type { RequestRecord } from '../../../src/proxy/request-record.ts';

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

t.test('a request as the log has it, without what did not happen', async (t) => {
  const { attempts: _, hedges: __, splices: ___, ...logged } = request;
  t.match(lineOf({ request: logged }), / from gcr \(fallback\) 12 ms - harbor: first-byte$/);
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

t.test('what became of a body that broke off, and of a tag that may be old', async (t) => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const splice = { from: 'harbor', reason: 'reset', at: 268_435_456, ms: 34 } as const;
  const { detail: _, ...blob } = request;
  t.match(
    lineOf({ request: { ...blob, splices: [{ ...splice, to: 'gcr' }] } }),
    / from gcr \(fallback\) 12 ms - harbor broke off near 268 MB \(reset\), resumed on gcr 34 ms later$/,
  );
  const same = {
    ...blob,
    outcome: 'served',
    upstream: 'harbor',
    splices: [{ ...splice, at: 0, to: 'harbor' }],
  } satisfies RequestRecord;
  t.match(
    lineOf({ request: same }),
    / from harbor 12 ms - harbor broke off near 0 B \(reset\), resumed on harbor 34 ms later$/,
  );
  const cut = { ...blob, outcome: 'cut', detail: 'harbor failed in the middle of the body (reset)' } as const;
  t.match(lineOf({ request: cut }), / - harbor failed in the middle of the body \(reset\)$/);
  t.match(
    lineOf({ request: { ...cut, splices: [splice] } }),
    / ms - harbor broke off near 268 MB \(reset\), no upstream could resume it$/,
  );
  t.match(lineOf({ request: { ...cut, verified: 'wrong' } }), /; its bytes are corrupt, so its end was not sent$/);
  const tag = { ...blob, kind: 'manifest', reference: 'v1' } as const;
  const text = `tag v1 at gcr is ${digest}, older`;
  t.match(
    lineOf({ request: { ...tag, tag: { verdict: 'stale', action: 'warned', text } } }),
    / - WARNED: tag v1 at gcr is sha256:aaaaaaaaaaaa…, older$/,
  );
  t.match(
    lineOf({ request: { ...tag, tag: { verdict: 'stale', action: 'replaced' } } }),
    / - it had an older digest, so the current one was fetched$/,
  );
  t.match(
    lineOf({
      request: { ...tag, outcome: 'failed', detail: text, tag: { verdict: 'stale', action: 'refused', text } },
    }),
    / ms - tag v1 at gcr is sha256:aaaaaaaaaaaa…, older$/,
    'said once',
  );
  t.match(lineOf({ request: { ...tag, tag: { verdict: 'current', action: 'served' } } }), / 12 ms$/);
  t.match(lineOf({ request: { ...tag, outcome: 'served', memory: true } }), / from gcr \(from memory\) 12 ms$/);
  t.match(
    lineOf({ upstream: 'harbor', msg: 'the copy of a blob has wrong bytes', digest }),
    / {2}harbor: the copy of a blob has wrong bytes - sha256:aaaaaaaaaaaa…$/,
  );
});
