import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { type PassedName, passedSockets, refuseUnused } from '../../src/server/passed-sockets.ts';

const PID = 4711;
const variables = (fds: string, names?: string, pid = PID) => ({
  LISTEN_PID: String(pid),
  LISTEN_FDS: fds,
  ...(names === undefined ? {} : { LISTEN_FDNAMES: names }),
});

t.test('each name gets its descriptor', async (t) => {
  t.strictSame(passedSockets({}, PID), {}, 'no service manager');
  t.strictSame(passedSockets(variables('1', 'https', PID + 1), PID), {}, 'meant for another process');
  t.strictSame(passedSockets(variables('0', ''), PID), {});
  t.strictSame(passedSockets(variables('1', 'admin'), PID), { admin: 3 });
  const all = passedSockets(variables('4', 'https:http:plain:admin'), PID);
  t.strictSame(all, { https: 3, http: 4, plain: 5, admin: 6 });
});

t.test('what does not fit ends the start, and says what to do', async (t) => {
  const cases: [string, string | undefined, RegExp][] = [
    ['x', 'https', /LISTEN_FDS is not a number/],
    ['65', 'https', /up to 64/],
    ['1', undefined, /passes 1 sockets, and LISTEN_FDNAMES has 0 names.*FileDescriptorName=/],
    ['2', 'https', /passes 2 sockets, and LISTEN_FDNAMES has 1 names/],
    [
      '1',
      'breakwater.socket',
      /"breakwater.socket"; expected one of https, plain, http, admin\. Set FileDescriptorName=/,
    ],
    ['1', 'a\u001b[31m', /"a\?\[31m"/],
    ['2', 'https:https', /two sockets with the name https/],
  ];
  for (const [fds, names, message] of cases)
    t.throws(
      () => passedSockets(variables(fds, names), PID),
      { name: 'PassedSocketError', message },
      `${fds} ${names}`,
    );
  t.throws(() => refuseUnused({ http: 3 }, { https: '0.0.0.0:443' }), {
    message: /has no listen\.http; add it, or remove the socket unit/,
  });
  t.doesNotThrow(() => refuseUnused({ https: 3 }, { https: '0.0.0.0:443' }));
});

/** Starts a process that takes the descriptor of a socket of this one, as a service manager passes it. */
async function taken(fd: number, name: PassedName, address: string): Promise<string> {
  const source = `
    import net from 'node:net';
    import { addressText } from ${JSON.stringify(join(import.meta.dirname, '../../src/server/bound-address.ts'))};
    import { openListener } from ${JSON.stringify(join(import.meta.dirname, '../../src/server/passed-sockets.ts'))};
    const server = net.createServer();
    const place = { name: ${JSON.stringify(name)}, address: ${JSON.stringify(address)}, passed: 3 };
    openListener(server, place, () => {}).then(
      (at) => console.log('listens on ' + addressText(at)),
      (error) => { console.log(error.name + ': ' + error.message); process.exit(); },
    );
    process.stdin.on('end', () => process.exit()).resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['pipe', 'pipe', 'inherit', fd],
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.endsWith('\n')) child.stdin?.end();
  });
  await once(child, 'close');
  return output.trim();
}

t.test('a socket that is open already is taken if it is the configured one', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;

  const other = `the socket with the name admin listens on 127.0.0.1:${port}, and listen.admin is 127.0.0.1:9; set ListenStream=127.0.0.1:9`;
  const [wrongPort, wrongHost, unix, good] = await Promise.all([
    taken(fd, 'admin', '127.0.0.1:9'),
    taken(fd, 'admin', `[::1]:${port}`),
    taken(fd, 'plain', 'unix:/run/plain.sock'),
    taken(fd, 'https', '127.0.0.1:0'),
  ]);
  t.match(wrongPort, other);
  t.match(wrongHost, /listen\.admin is \[::1\]/);
  t.match(unix, /listen\.plain is unix:.*which Breakwater opens itself; remove the socket unit/);
  t.match(good, `listens on 127.0.0.1:${port}`);
  t.match(await taken(fd, 'https', `localhost:${port}`), 'listens on', 'a name stands for its addresses');
});

t.test('a descriptor that is no socket is named', async (t) => {
  t.match(await taken(1, 'https', '127.0.0.1:8443'), /socket with the name https cannot be used .*ListenStream=127/);
});
