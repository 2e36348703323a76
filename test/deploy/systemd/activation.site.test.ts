import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { stringify } from 'yaml';
import { startLabRegistry } from '../../../src/lab/registry.ts';
import { writeCertificate } from '../../helpers/certificate.ts';
import { LAUNCHER } from '../../helpers/edge.ts';
import { HttpsClient } from '../../helpers/https-client.ts';
import { Program } from '../../helpers/program.ts';
import { pull } from '../../helpers/pull.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { missing, tool } from '../../helpers/tool.ts';
import { unlisted } from '../../helpers/unlisted-port.ts';
import { NotifyReceiver } from './notify-receiver.ts';
import { allowedCalls, tracedCalls } from './system-calls.ts';
import { UNITS } from './unit-root.ts';

const skip = missing('systemd-socket-activate', 'systemd-notify', 'systemd-analyze', 'perl', 'strace');

/** An edge whose sockets systemd-socket-activate opens, as `breakwater.socket` and `breakwater-http.socket` do. */
class ActivatedEdge {
  readonly authority: string;
  readonly https: string;
  readonly trace: string;
  readonly program: Program;
  readonly #configFile: string;
  readonly #config: Record<string, unknown>;

  private constructor(
    t: Test,
    parts: { authority: string; config: Record<string, unknown>; https: string; args: string[] },
  ) {
    const folder = temporaryFolder(t);
    this.authority = parts.authority;
    this.https = parts.https;
    this.trace = join(folder, 'trace');
    this.#configFile = join(folder, 'breakwater.yaml');
    this.#config = parts.config;
    this.configure({});
    this.program = new Program(t, {
      command: tool('systemd-socket-activate'),
      // With -D, the edge keeps the process id that LISTEN_PID names.
      args: [
        ...parts.args,
        ...['-E', 'NOTIFY_SOCKET', '-E', 'PATH', tool('strace'), '-D', '-f', '-qq', '-o', this.trace],
        ...[LAUNCHER, 'serve', '--config', this.#configFile],
      ],
      logFile: join(folder, 'log'),
      cwd: folder,
    });
  }

  /** @param names as FileDescriptorName= has them @param listen in place of the sockets' own addresses */
  static async of(t: Test, names: [string, string], listen: Record<string, string> = {}): Promise<ActivatedEdge> {
    const { authority, certFile, keyFile } = await writeCertificate(t);
    const registry = await startLabRegistry();
    t.teardown(() => registry.close());
    registry.seed('app', '1', { blobs: [100_000] });
    const [https, http] = [await unlisted(), await unlisted()];
    const config = {
      hostname: 'localhost',
      aliases: ['127.0.0.1'],
      listen: { https, http, admin: '127.0.0.1:0', ...listen },
      tls: { certFile, keyFile },
      drain: { announce: '0s', timeout: '5s' },
      upstreams: { only: { urls: [registry.url] } },
      routes: [{ prefix: '', push: 'only', pull: [{ upstream: 'only' }] }],
    };
    const args = ['-l', https, '-l', http, `--fdname=${names.join(':')}`];
    return new ActivatedEdge(t, { authority, config, https, args });
  }

  configure(more: Record<string, unknown>): void {
    writeFileSync(this.#configFile, stringify({ ...this.#config, ...more }));
  }

  /** The first connection starts the edge. */
  async start(): Promise<void> {
    this.program.start();
    await this.program.waitForLog(/^Listening on .*\nListening on .* as 4/m);
    const socket = connect(Number(this.https.split(':').at(-1)), '127.0.0.1').on('error', () => undefined);
    await once(socket, 'connect');
    socket.destroy();
  }
}

t.test('systemd opens the ports, and hears of the start, of reloads and of the stop', { skip }, async (t) => {
  const receiver = await new NotifyReceiver(t).start();
  process.env.NOTIFY_SOCKET = receiver.path;
  t.teardown(() => {
    delete process.env.NOTIFY_SOCKET;
  });
  const edge = await ActivatedEdge.of(t, ['https', 'http']);
  await edge.start();
  await receiver.waitFor(/READY=1/);
  const client = new HttpsClient(`https://${edge.https}`, edge.authority);
  t.teardown(() => client.close());
  t.same((await pull(client, 'app', '1')).upstreams[0], 'only', 'the passed socket serves');

  edge.program.signal('SIGHUP');
  await receiver.waitFor(/RELOADING=1[\s\S]*READY=1/);
  edge.configure({ nonsense: 1 });
  edge.program.signal('SIGHUP');
  await receiver.waitFor(/the new one is refused/);
  edge.program.signal('SIGTERM');
  t.equal(await edge.program.ended(), 0);
  const states = receiver.messages().map((message) => /^\w+=1/.exec(message)?.[0]);
  t.strictSame(states, ['READY=1', 'RELOADING=1', 'READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1']);
  t.match(receiver.messages().at(-1), /EXTEND_TIMEOUT_USEC=15000000$/, 'the stop may take as long as the drain');

  const allowed = await allowedCalls(join(UNITS, 'breakwater.service'));
  const made = tracedCalls(edge.trace);
  t.ok(
    made.has('epoll_pwait') && made.has('execve') && made.has('sendmsg'),
    'the trace has the edge and systemd-notify',
  );
  t.notOk(allowed.has('mount') || allowed.has('setuid') || allowed.has('ptrace'), 'the filter is one');
  t.strictSame(
    [...made].filter((call) => !allowed.has(call)),
    [],
    'the filter of the unit lets through all system calls',
  );
});

for (const { what, names, listen, message } of [
  {
    what: 'a socket without a name of a listener',
    names: ['https', 'unknown'] as [string, string],
    message: /"unknown"; expected one of https, plain, http, admin\. Set FileDescriptorName=/,
  },
  {
    what: 'a socket at another address than the configured one',
    names: ['https', 'http'] as [string, string],
    listen: { http: '127.0.0.1:1' },
    message: /listens on 127\.0\.0\.1:\d+, and listen\.http is 127\.0\.0\.1:1; set ListenStream=127\.0\.0\.1:1/,
  },
])
  t.test(`${what} ends the start with status 2`, { skip }, async (t) => {
    const edge = await ActivatedEdge.of(t, names, listen);
    await edge.start();
    t.equal(await edge.program.ended(), 2, 'which RestartPreventExitStatus= does not restart');
    t.match(edge.program.log(), message);
    t.notMatch(edge.program.log(), / at .*\.ts:\d+/, 'without a stack');
  });

t.test('the unit does not restart what only another configuration mends', async (t) => {
  t.match(readFileSync(join(UNITS, 'breakwater.service'), 'utf8'), /^RestartPreventExitStatus=2$/m);
});
