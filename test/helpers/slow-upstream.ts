import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Owner } from './temporary-folder.ts';

/** An upload as it arrives, read no faster than the test says. */
export interface Arrival {
  request: IncomingMessage;
  response: ServerResponse;
}

/** An upstream that says it is well and hands every write to the test, as `write` events. */
export class SlowUpstream extends EventEmitter<{ write: [Arrival] }> {
  url = '';

  /** The next write. */
  async next(): Promise<Arrival> {
    const [arrival] = await once(this, 'write');
    return arrival;
  }
}

export async function startSlowUpstream(owner: Owner): Promise<SlowUpstream> {
  const upstream = new SlowUpstream();
  const server = createServer({ requestTimeout: 0 });
  const take = (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'GET') return void response.end('{}');
    request.on('error', () => undefined);
    upstream.emit('write', { request, response });
  };
  server.on('request', take);
  server.on('checkContinue', take);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  upstream.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return upstream;
}
