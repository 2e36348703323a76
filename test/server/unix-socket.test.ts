import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import t, { type Test } from 'tap';
import { addressText, listenOn } from '../../src/server/bound-address.ts';
import { removeStaleSocket } from '../../src/server/unix-socket.ts';
import { command } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { closing, startListener } from './listener-harness.ts';

const MODE = 0o777;

function fail(error: unknown): never {
  throw error;
}

function serve(t: Test): Server {
  const server = createServer((socket) => socket.on('error', () => {}).end('here'));
  t.teardown(() => server.close());
  return server;
}

/** A socket whose process was killed. */
async function staleSocket(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await command(process.execPath, ['-e', script]).catch(() => undefined);
}

async function answerOf(path: string): Promise<string> {
  const socket = connect(path);
  return Buffer.concat(await socket.toArray()).toString();
}

t.test('a socket has its mode, and is gone when the listener is', async (t) => {
  const path = join(temporaryFolder(t), 'plain.sock');
  for (const mode of [0o660, 0o600, 0o666]) {
    const server = createServer();
    const address = await listenOn(server, `unix:${path}`, fail, mode);
    t.equal(addressText(address), `unix:${path}`);
    t.equal(statSync(path).mode & MODE, mode);
    server.close();
    await once(server, 'close');
    t.notOk(existsSync(path));
  }
});

t.test('what a killed process has left behind is replaced', async (t) => {
  const path = join(temporaryFolder(t), 'plain.sock');
  await staleSocket(path);
  t.ok(lstatSync(path).isSocket());
  await listenOn(serve(t), `unix:${path}`, fail);
  t.equal(await answerOf(path), 'here');
});

t.test('nothing else is removed', async (t) => {
  const folder = temporaryFolder(t);
  const [file, link, dir, used] = ['file', 'link', 'dir', 'used'].map((name) => join(folder, name));
  writeFileSync(file ?? '', 'precious');
  mkdirSync(dir ?? '');
  await listenOn(serve(t), `unix:${used}`, fail);
  symlinkSync(used ?? '', link ?? '');
  for (const path of [file, dir, link])
    await t.rejects(listenOn(serve(t), `unix:${path}`, fail), { message: /is in the way of a socket, and is none/ });
  await t.rejects(listenOn(serve(t), `unix:${used}`, fail), {
    message: `another process listens on the socket ${used}; end it, or name another path`,
  });
  t.equal(await answerOf(used ?? ''), 'here', 'that process goes on');
  for (const path of [file, link, dir, used]) t.ok(existsSync(path ?? ''), `${path} is still there`);
  t.equal(await removeStaleSocket(join(folder, 'none')), undefined);
  await t.rejects(removeStaleSocket(join(file ?? '', 'below')), { message: /cannot be made/ });
  chmodSync(folder, 0o700);
});

for (const plain of [true, false])
  t.test(`clients of a unix socket have the address "unix:", ${plain ? 'plain' : 'over TLS'}`, async (t) => {
    const path = join(temporaryFolder(t), 'x.sock');
    const { listener } = await startListener(t, {
      plain,
      address: `unix:${path}`,
      handler: (req, res) => res.end(`address ${req.socket.remoteAddress}`),
    });
    const socket = plain ? connect(path) : connectTls({ path, rejectUnauthorized: false });
    t.teardown(() => socket.destroy());
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.write('GET / HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n');
    await closing(socket);
    t.match(text, /^HTTP\/1\.1 200 [\s\S]*address unix:$/);
    await listener.drain({ timeout: 0 });
    t.notOk(existsSync(path), 'the socket is gone after a drain');
  });
