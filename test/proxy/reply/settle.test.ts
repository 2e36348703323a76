import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import t from 'tap';
import { ClientGone, Exchange } from '../../../src/proxy/exchange.ts';
import type { ProxyContext } from '../../../src/proxy/proxy-context.ts';
import { settle } from '../../../src/proxy/reply/settle.ts';
import type { RequestRecord } from '../../../src/proxy/request-record.ts';

/** The record and the log line of a request whose stages noted what is given, after its reply was sent whole. */
function settled(
  statusCode: number,
  note: (notes: Exchange['notes']) => void,
  method = 'GET',
): { record: RequestRecord; line: { audit?: boolean } | undefined } {
  const request = Object.assign(new EventEmitter(), { method, url: '/v2/', headers: {}, httpVersion: '1.1' });
  const response = Object.assign(new EventEmitter(), { statusCode, headersSent: true });
  const exchange = new Exchange(request as unknown as IncomingMessage, response as unknown as ServerResponse, false);
  note(exchange.notes);
  const records: RequestRecord[] = [];
  const lines: object[] = [];
  const log = (line: object) => lines.push(line);
  const context = {
    observer: { record: (record: RequestRecord) => records.push(record) },
    config: { log: { requests: 'all' } },
    requests: { info: log, warn: log },
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

t.test('the log marks what tells who did what', async (t) => {
  const kind = (of: RequestRecord['kind']) => (notes: Exchange['notes']) => Object.assign(notes.parse, { kind: of });
  const cases: [string, RequestRecord['kind'], number, true | undefined][] = [
    ['GET', 'token', 200, true],
    ['GET', 'token', 401, true],
    ['DELETE', 'manifest', 202, true],
    ['DELETE', 'blob', 403, true],
    ['POST', 'upload', 403, true],
    ['PUT', 'manifest', 401, true],
    ['PUT', 'manifest', 201, undefined],
    ['GET', 'manifest', 200, undefined],
    ['GET', 'manifest', 401, undefined],
    ['HEAD', 'blob', 403, undefined],
  ];
  for (const [method, of, status, audit] of cases)
    t.equal(settled(status, kind(of), method).line?.audit, audit, `${method} ${of} ${status}`);
});

t.test('a failed exchange releases all that it holds, and what fails at that goes no further', async (t) => {
  const request = Object.assign(new EventEmitter(), { method: 'GET', url: '/v2/', headers: {}, httpVersion: '1.1' });
  const response = Object.assign(new EventEmitter(), { statusCode: 200, headersSent: true });
  const exchange = new Exchange(request as unknown as IncomingMessage, response as unknown as ServerResponse, false);
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
