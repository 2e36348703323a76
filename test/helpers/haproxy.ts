import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePorts } from '../../bench/proxies/ports.ts';
import { Program } from './program.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { timeLimit } from './time-limit.ts';
import { tool } from './tool.ts';
import { until } from './until.ts';

export interface HaproxyOptions {
  /** `127.0.0.1:PORT` of the edge. */
  edge: string;
  /** What is said of the client: `send-proxy`, `send-proxy-v2`, or nothing. */
  header: string;
  /** The address that the edge sees it at. */
  source: string;
}

/** A real HAProxy that passes TCP on, and asks the edge every 200 ms over HTTPS whether it is there. */
export class Haproxy {
  readonly port: number;
  readonly #program: Program;
  readonly #socket: string;

  constructor(program: Program, port: number, socket: string) {
    this.#program = program;
    this.port = port;
    this.#socket = socket;
  }

  async start(): Promise<void> {
    this.#program.start();
    await until(() => this.#program.running && this.state().catch(() => undefined), {
      what: () => this.#program.log(),
    });
  }

  /** State of the edge and result of the last check, as HAProxy names them: `UP L7OK`. */
  async state(): Promise<string> {
    const socket = connect(this.#socket);
    await once(socket, 'connect');
    socket.write('show stat\n');
    const [names = '', ...rows] = (await socket.toArray()).join('').replace('# ', '').split('\n');
    const fields = rows.find((row) => row.startsWith('edges,edge1,'))?.split(',') ?? [];
    const value = (name: string) => fields[names.split(',').indexOf(name)];
    return `${value('status')} ${value('check_status')}`;
  }

  /** Waits for such a state. */
  waitFor(state: string): Promise<unknown> {
    let last = '';
    return until(
      async () => {
        last = await this.state();
        return last === state;
      },
      { what: () => `HAProxy to find the edge ${state}, not ${last}:\n${this.#program.log()}` },
    );
  }
}

/** Starts one that takes connections at 127.0.0.1 and, where there is such an address, ::1. */
export async function startHaproxy(owner: Owner, { edge, header, source }: HaproxyOptions): Promise<Haproxy> {
  const folder = temporaryFolder(owner);
  const [port = 0] = await freePorts(1);
  const socket = join(folder, 'stats');
  const configFile = join(folder, 'haproxy.cfg');
  await writeFile(
    configFile,
    `global
  stats socket ${socket} mode 600
defaults
  mode tcp
  timeout connect ${timeLimit(5000)}
  timeout check ${timeLimit(1000)}
  timeout client 60s
  timeout server 60s
frontend clients
  bind 127.0.0.1:${port}
  bind [::1]:${port}
  default_backend edges
backend edges
  option httpchk
  http-check send meth GET uri /v2/ ver HTTP/1.1 hdr Host localhost
  http-check expect status 401
  server edge1 ${edge} source ${source} check check-ssl verify none inter 200ms fall 3 rise 1 ${header}
`,
  );
  const program = new Program(owner, {
    command: tool('haproxy'),
    args: ['-db', '-f', configFile],
    logFile: join(folder, 'haproxy.log'),
  });
  const haproxy = new Haproxy(program, port, socket);
  await haproxy.start();
  return haproxy;
}
