import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { Program } from '../test/helpers/program.ts';
import { type Owner, temporaryFolder } from '../test/helpers/temporary-folder.ts';
import { tool } from '../test/helpers/tool.ts';
import { until } from '../test/helpers/until.ts';

/** A real nginx that is one process, so that nothing of it can outlive the benchmark; it works as with one worker. */
export class Nginx {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  /** @param http what stands in the `http` block; `ports` are those it listens on */
  static async start(owner: Owner, http: string, ports: readonly number[]): Promise<Nginx> {
    const folder = temporaryFolder(owner);
    const file = join(folder, 'nginx.conf');
    await writeFile(file, configuration(folder, http));
    const logFile = join(folder, 'output.log');
    const errors = join(folder, 'error.log');
    const args = ['-p', folder, '-c', file, '-e', errors];
    const program = new Program(owner, { command: tool('nginx'), args, logFile });
    program.start();
    await until(async () => {
      if (!program.running) throw new Error(`nginx ended:\n${program.log()}`);
      return (await Promise.all(ports.map(answers))).every(Boolean);
    });
    return new Nginx(program);
  }

  get pid(): number {
    return this.#program.pid;
  }
}

function configuration(folder: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
daemon off;
master_process off;
${process.getuid?.() === 0 ? 'user root;' : ''}
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  ${temporary.map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
${http}
}
`;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}

/** Ports of 127.0.0.1 that were free just now: nginx cannot choose its own. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports.push((server.address() as AddressInfo).port);
  }
  for (const server of servers) server.close();
  return ports;
}
