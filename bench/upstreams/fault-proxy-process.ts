import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultProxyPorts, Faults } from './faults.ts';

// `node fault-proxy-process.ts HOST:PORT LINES`. A process of its own, so that its work does not disturb the measurement. Each measured
// proxy has its own listener, so that its requests can be counted.

/** Small, so that a stopped process soon accepts no further connection. */
const BACKLOG = 16;
const PIECE_MS = 100;

const [to = '', lineCount = '1'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
let faults: Faults = {};

interface Line {
  server: Server;
  /** Requests for anything but `/v2/` itself. */
  requests: number;
}

function openLine(): Line {
  const line: Line = {
    server: createServer((incoming, outgoing) => void carry(line, incoming, outgoing)),
    requests: 0,
  };
  // Proxies keep connections for long, and this listener must not end them first.
  line.server.keepAliveTimeout = 120_000;
  return line;
}

async function carry(line: Line, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const content = incoming.url !== '/v2/';
  if (content) line.requests += 1;
  if (content && faults.failEvery !== undefined && line.requests % faults.failEvery === 0) {
    incoming.resume();
    outgoing.writeHead(500, { 'content-type': 'application/json' });
    outgoing.end('{"errors":[{"code":"UNKNOWN","message":"the storage failed"}]}');
    return;
  }
  try {
    await relay(incoming, outgoing);
  } catch {
    // Whichever side broke off, the other side sees a closed connection.
    outgoing.destroy();
  }
}

async function relay(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const [host, port] = to.split(':');
  const { method, url: path, headers } = incoming;
  const call = request({ host, port, method, path, headers, agent });
  // An error may come after the answer has begun. Before that, the awaited answer is rejected as well.
  call.on('error', () => outgoing.destroy());
  outgoing.on('close', () => call.destroy());
  incoming.pipe(call);
  const [answer]: IncomingMessage[] = await once(call, 'response');
  if (!answer) throw new Error('no answer');
  outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
  outgoing.flushHeaders();
  const { cut } = faults;
  const long = cut && Number(answer.headers['content-length']) > cut.after;
  if (long) await pipeline(answer, breakOff(cut, outgoing), outgoing);
  else if (faults.trickle === undefined) await pipeline(answer, outgoing);
  else await pipeline(answer, trickle, outgoing);
}

/** Forwards so many bytes, then resets the connection or sends nothing more. */
function breakOff({ how, after }: NonNullable<Faults['cut']>, outgoing: ServerResponse): Transform {
  let rest = after;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const part = chunk.subarray(0, rest);
      rest -= part.length;
      if (rest > 0 || how === 'stall') this.push(part);
      if (rest > 0) done();
      // A reset drops bytes that are still buffered, so it waits until the client has them.
      else if (how === 'reset') outgoing.write(part, () => outgoing.socket?.resetAndDestroy());
    },
  });
}

/** As slow as the current faults say. The faults may end during a body. */
async function* trickle(source: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  for await (const chunk of source) {
    let sent = 0;
    while (sent < chunk.length) {
      const rate = faults.trickle;
      const size = rate === undefined ? chunk.length : Math.max(1, Math.round((rate * PIECE_MS) / 1000));
      yield chunk.subarray(sent, sent + size);
      sent += size;
      if (rate !== undefined && sent < chunk.length) await delay(PIECE_MS);
    }
  }
}

async function control(incoming: IncomingMessage, outgoing: ServerResponse, lines: readonly Line[]): Promise<void> {
  if (incoming.method === 'PUT') faults = JSON.parse(Buffer.concat(await incoming.toArray()).toString());
  outgoing.end(JSON.stringify(lines.map(({ requests }) => requests)));
}

async function listen(server: Server): Promise<number> {
  server.listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const lines = Array.from({ length: Number(lineCount) }, openLine);
const ports: FaultProxyPorts = {
  control: await listen(createServer((incoming, outgoing) => void control(incoming, outgoing, lines))),
  lines: await Promise.all(lines.map(({ server }) => listen(server))),
};
process.stdout.write(`${JSON.stringify(ports)}\n`);
