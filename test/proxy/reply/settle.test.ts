import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import t from 'tap';
import { ClientGone, Exchange } from '../../../src/proxy/exchange.ts';
import type { ProxyContext } from '../../../src/proxy/proxy-context.ts';
import type { AuditLine } from '../../../src/proxy/reply/audit-line.ts';
import { settle } from '../../../src/proxy/reply/settle.ts';
import { TLS } from '../../../src/proxy/request/transport.ts';
import type { RequestRecord } from '../../../src/proxy/request-record.ts';

/** The record and the log line of a request whose stages noted what is given, after its reply was sent whole. */
function settled(
  statusCode: number,
  note: (notes: Exchange['notes']) => void,
  method = 'GET',
  url = '/v2/',
  requests = 'all',
): { record: RequestRecord; line: { audit?: AuditLine } | undefined } {
  const request = Object.assign(new EventEmitter(), { method, url, headers: {}, httpVersion: '1.1' });
  const response = Object.assign(new EventEmitter(), { statusCode, headersSent: true });
  const exchange = new Exchange(
    request as unknown as IncomingMessage,
    response as unknown as ServerResponse,
    false,
    TLS,
  );
  note(exchange.notes);
  const records: RequestRecord[] = [];
  const lines: object[] = [];
  const log = (line: object) => lines.push(line);
  const context = {
    observer: { record: (record: RequestRecord) => records.push(record) },
    config: { log: { requests } },
    requests: { info: log, warn: log },
    audit: { info: log, warn: log },
  };
  response.emit('finish');
  settle(exchange, context as unknown as ProxyContext, undefined);
  t.equal(records.length, 0, 'not before the reply has ended');
  response.emit('close');
  const [record] = records;
  if (!record) throw new Error('there is no record');
  return { record, line: lines[0] };
}

t.test('the record of a request is made of what each stage noted', async (t) => {
  const hinted = { repository: 'inner/app', reference: '1' };
  const cases: [string, number, (notes: Exchange['notes']) => void, object][] = [
    ['nothing was parsed', 200, () => undefined, { kind: 'invalid', outcome: 'served' }],
    ['a hook is found by its image', 202, ({ fetch }) => Object.assign(fetch, { hinted }), hinted],
    [
      'a push is found by the name that its client used',
      201,
      ({ parse, fetch }) => {
        Object.assign(parse, { kind: 'manifest', repository: 'library/app', reference: 'latest' });
        Object.assign(fetch, { hinted });
      },
      { repository: 'library/app', reference: 'latest' },
    ],
    [
      'a fallback served',
      200,
      ({ plan, relay, fetch }) => {
        plan.preferred = 'harbor';
        relay.upstream = 'gcr';
        fetch.detail = 'harbor: connect';
      },
      { outcome: 'fallback', upstream: 'gcr', preferred: 'harbor', detail: 'harbor: connect' },
    ],
    [
      'the body broke off: that is the last thing that happened',
      200,
      ({ relay, fetch }) => {
        Object.assign(relay, { isCut: true, detail: 'harbor failed in the middle' });
        fetch.detail = 'gcr: connect';
      },
      { outcome: 'cut', detail: 'harbor failed in the middle' },
    ],
    ['an upstream refused', 403, ({ relay }) => Object.assign(relay, { upstream: 'harbor' }), { outcome: 'refused' }],
    ['an upstream failed', 502, ({ relay }) => Object.assign(relay, { upstream: 'harbor' }), { outcome: 'failed' }],
  ];
  for (const [says, status, note, expected] of cases) {
    const { record } = settled(status, note);
    t.match(record, { ...expected, status }, says);
    for (const name of ['hinted', 'isCut', 'passedOver']) t.notOk(name in record, `${name} stays inside`);
  }
});

t.test('the log says who did what', async (t) => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const notes =
    (kind: RequestRecord['kind'], reference = '1') =>
    ({ parse, authorize, fetch, relay }: Exchange['notes']) => {
      Object.assign(
        parse,
        { kind },
        kind === 'token' || kind === 'passthrough' ? {} : { repository: 'app', reference },
      );
      Object.assign(authorize, { user: 'ann' });
      Object.assign(relay, { upstream: 'harbor' });
      if (kind === 'manifest') fetch.digest = digest;
    };
  const cases: [string, RequestRecord['kind'], number, object | undefined][] = [
    ['GET', 'token', 200, { action: 'login', result: 'done' }],
    ['GET', 'token', 401, { action: 'login', result: 'refused' }],
    ['PUT', 'manifest', 201, { action: 'push', result: 'done', what: 'app:1', digest }],
    ['PUT', 'manifest', 401, { action: 'push', result: 'refused', what: 'app:1' }],
    ['PUT', 'manifest', 500, { action: 'push', result: 'failed', what: 'app:1' }],
    ['DELETE', 'manifest', 202, { action: 'delete', result: 'done', what: 'app:1' }],
    ['DELETE', 'blob', 403, { action: 'delete', result: 'refused', what: 'app:1' }],
    ['POST', 'upload', 403, { action: 'push', result: 'refused' }],
    ['POST', 'upload', 202, undefined],
    ['DELETE', 'upload', 204, undefined],
    ['POST', 'hook', 202, undefined],
    ['POST', 'hook', 401, { action: 'hook', result: 'refused' }],
    ['PUT', 'passthrough', 200, { action: 'change', result: 'done', what: '/api/x' }],
    ['GET', 'passthrough', 200, undefined],
    ['GET', 'manifest', 200, undefined],
    ['GET', 'manifest', 401, undefined],
    ['HEAD', 'blob', 403, undefined],
  ];
  for (const [method, kind, status, expected] of cases) {
    const { line } = settled(status, notes(kind), method, '/api/x?secret=1');
    const common = { user: 'ann', upstream: 'harbor' };
    t.match(line?.audit, expected && { ...expected, ...common }, `${method} ${kind} ${status}`);
    t.equal(line?.audit === undefined, expected === undefined);
    t.notMatch(JSON.stringify(line?.audit ?? ''), /secret/);
    const isLogin = kind === 'token' && status === 200;
    if (expected && !isLogin)
      t.ok(settled(status, notes(kind), method, '/', 'notable').line?.audit, 'with notable, too');
  }
  const unserved = ({ parse, settle }: Exchange['notes']) =>
    Object.assign(parse, { kind: 'passthrough' }) && Object.assign(settle, { outcome: 'absent' });
  t.notOk(settled(404, unserved, 'POST', '/x').line?.audit, 'a path that is nobody’s');
});

t.test('a failed exchange releases all that it holds, and what fails at that goes no further', async (t) => {
  const request = Object.assign(new EventEmitter(), { method: 'GET', url: '/v2/', headers: {}, httpVersion: '1.1' });
  const response = Object.assign(new EventEmitter(), { statusCode: 200, headersSent: true });
  const exchange = new Exchange(
    request as unknown as IncomingMessage,
    response as unknown as ServerResponse,
    false,
    TLS,
  );
  const errors: unknown[] = [];
  const bug = () => {
    throw new Error('a bug');
  };
  const context = { observer: { record: bug }, log: { error: ({ err }: { err: Error }) => errors.push(err.message) } };
  const released: string[] = [];
  exchange.hold(() => bug());
  exchange.hold(() => released.push('a permit'));
  settle(exchange, context as unknown as ProxyContext, new ClientGone());
  t.strictSame(released, ['a permit']);
  t.strictSame(errors, ['a bug']);
  response.emit('close');
  t.strictSame(errors, ['a bug', 'a bug'], 'nor does a record that cannot be written');
});
