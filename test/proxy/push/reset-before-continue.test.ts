import { once } from 'node:events';
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { Exchange } from '../../../src/proxy/exchange.ts';
import { TLS } from '../../../src/proxy/request/transport.ts';

/** A push that waits for 100 Continue. */
async function waiting(t: Test) {
  const server = http2.createServer((_request, answer) => answer.end('ok'));
  const asked = once(server, 'checkContinue');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.teardown(() => {
    client.destroy();
    server.close();
  });
  const stream = client.request({ ':method': 'PUT', ':path': '/', expect: '100-continue' }, { endStream: false });
  stream.on('error', () => undefined);
  const [request, response]: [Http2ServerRequest, Http2ServerResponse] = (await asked) as never;
  return { client, stream, request, response };
}

// Node throws between the first two events and the third one.
for (const moment of ['aborted', 'finish', 'close'])
  t.test(
    `a client that resets its stream while it waits for 100 Continue ends its own exchange only: ${moment}`,
    async (t) => {
      const { client, stream, request, response } = await waiting(t);
      const exchange = new Exchange(request as never, response as never, true, TLS);
      const reset = Promise.withResolvers<unknown>();
      // The upstream is connected at this moment.
      response.stream.once(moment, () => {
        try {
          exchange.sendContinue();
          reset.resolve(undefined);
        } catch (error) {
          reset.resolve(error);
        }
      });
      stream.close(http2.constants.NGHTTP2_CANCEL);
      t.equal(await reset.promise, undefined);
      t.equal(exchange.continued, true);
      const next = client.request({ ':path': '/' }).setEncoding('utf8');
      t.equal((await next.toArray()).join(''), 'ok', 'the connection serves on');
    },
  );

t.test('a client that waits is told to go on, once', async (t) => {
  const { stream, request, response } = await waiting(t);
  let told = 0;
  stream.on('continue', () => {
    told += 1;
  });
  const exchange = new Exchange(request as never, response as never, true, TLS);
  exchange.sendContinue();
  exchange.sendContinue();
  stream.end();
  response.end('ok');
  await once(stream.resume(), 'end');
  t.equal(told, 1);
});
