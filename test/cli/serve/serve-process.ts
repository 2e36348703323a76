import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, readSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { stringify } from 'yaml';
import { freePorts } from '../../../bench/proxies/ports.ts';
import { writeCertificate } from '../../helpers/certificate.ts';
import { command } from '../../helpers/command.ts';
import { commandLine } from '../../helpers/command-line.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { until } from '../../helpers/until.ts';

export const BIN = join(import.meta.dirname, '../../../bin/breakwater');

export interface ServeOptions {
  stdout: number | 'pipe';
  stderr?: number | 'inherit';
  /** A shell command that ends in running its arguments. */
  shell?: string;
  config?: Record<string, unknown>;
}

interface Ports {
  https: number;
  admin: number;
  http: number;
}

/** `breakwater serve` with a standard output of the test's choice. Its upstream does not exist. */
export class ServeProcess {
  readonly child: ChildProcess;
  readonly #ports: Ports;
  readonly #agent = new https.Agent({ keepAlive: true, maxSockets: 20 });

  private constructor(t: Test, child: ChildProcess, ports: Ports) {
    this.child = child;
    this.#ports = ports;
    t.teardown(async () => {
      this.#agent.destroy();
      if (this.running) child.kill('SIGKILL');
      await this.ended();
    });
  }

  /** Resolves when it serves. */
  static async start(t: Test, { stdout, stderr = 'inherit', shell = 'exec "$@"', config = {} }: ServeOptions) {
    const [https = 0, admin = 0, http = 0] = await freePorts(3);
    const ports = { https, admin, http };
    const file = await writeConfiguration(t, ports, config);
    const [program, args] = commandLine('/bin/sh', ['-c', shell, 'sh', BIN, 'serve', '--config', file]);
    const serve = new ServeProcess(t, spawn(program, args, { stdio: ['ignore', stdout, stderr] }), ports);
    await until(
      async () => {
        if (!serve.running) throw new Error(`it ended: ${serve.child.exitCode}`);
        return (await serve.ready().catch(() => 0)) === 200;
      },
      { timeout: 30_000, what: () => '/readyz' },
    );
    return serve;
  }

  get httpsPort(): number {
    return this.#ports.https;
  }

  /** Of every listener. */
  get ports(): number[] {
    return Object.values(this.#ports);
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The exit status, or the signal that ended it. */
  async ended(): Promise<number | NodeJS.Signals | null> {
    if (this.running) await once(this.child, 'exit');
    return this.child.exitCode ?? this.child.signalCode;
  }

  /** Status of `/readyz`. */
  async ready(): Promise<number> {
    return (await get(http, { port: this.#ports.admin, path: '/readyz', agent: false })).status;
  }

  /** Value of a metric without labels. */
  async metric(name: string): Promise<number> {
    const { body } = await get(http, { port: this.#ports.admin, path: '/metrics', agent: false });
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(body)?.[1]);
  }

  /** So many requests, each a line of the log. @returns how many were answered */
  async requests(count: number, path = '/v2/'): Promise<number> {
    let answered = 0;
    const one = async () => {
      await get(https, { port: this.#ports.https, path, rejectUnauthorized: false, agent: this.#agent });
      answered += 1;
    };
    for (let done = 0; done < count; done += 20) await Promise.all(Array.from({ length: 20 }, one));
    return answered;
  }
}

async function get(
  { request }: typeof http | typeof https,
  options: https.RequestOptions,
): Promise<{ status: number; body: string }> {
  const req = request({ host: '127.0.0.1', timeout: 5_000, ...options }).end();
  req.on('timeout', () => req.destroy(new Error('no answer')));
  const [res] = await once(req, 'response');
  return { status: res.statusCode, body: Buffer.concat(await res.toArray()).toString() };
}

async function writeConfiguration(t: Test, ports: Ports, config: Record<string, unknown>): Promise<string> {
  const certificate = await writeCertificate(t);
  const file = join(temporaryFolder(t), 'breakwater.yaml');
  const whole = {
    hostname: 'localhost',
    aliases: ['127.0.0.1'],
    listen: {
      https: `127.0.0.1:${ports.https}`,
      admin: `127.0.0.1:${ports.admin}`,
      http: `127.0.0.1:${ports.http}`,
    },
    tls: { certFile: certificate.certFile, keyFile: certificate.keyFile },
    drain: { announce: '0s', timeout: '5s' },
    upstreams: { harbor: { urls: ['http://127.0.0.1:9'] } },
    routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] }],
    ...config,
  };
  writeFileSync(file, stringify(whole));
  return file;
}

/** A named pipe whose reader is the test. It reads only when it is told to. */
export class Fifo {
  /** For the process that writes. */
  readonly writeEnd: number;
  readonly path: string;
  #readEnd: number | undefined;
  text = '';

  private constructor(t: Test, path: string) {
    this.path = path;
    this.open();
    this.writeEnd = openSync(path, constants.O_WRONLY);
    t.teardown(() => {
      closeSync(this.writeEnd);
      this.close();
    });
  }

  static async make(t: Test): Promise<Fifo> {
    const path = join(temporaryFolder(t), 'log');
    await command('mkfifo', [path]);
    return new Fifo(t, path);
  }

  /** Opens the end of the reader. */
  open(): void {
    this.#readEnd = openSync(this.path, constants.O_RDONLY | constants.O_NONBLOCK);
  }

  /** The reader goes away. */
  close(): void {
    if (this.#readEnd !== undefined) closeSync(this.#readEnd);
    this.#readEnd = undefined;
  }

  /** Reads until the text so far is as wanted, and no chunk more. @returns the text */
  async readUntil(wanted: (text: string) => boolean): Promise<string> {
    const chunk = Buffer.alloc(65_536);
    await until(
      async () => {
        for (let count = this.#read(chunk); count > 0; count = this.#read(chunk)) {
          this.text += chunk.toString('utf8', 0, count);
          if (wanted(this.text)) break;
        }
        return wanted(this.text);
      },
      { every: 10, what: () => `the log to go on after ${this.text.slice(-300)}` },
    );
    return this.text;
  }

  #read(chunk: Buffer): number {
    try {
      return readSync(this.#readEnd ?? -1, chunk);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }
}

/** Ends a process by SIGTERM. @returns its exit status and the milliseconds that it took */
export async function stopped(serve: ServeProcess): Promise<{ status: unknown; took: number }> {
  const began = performance.now();
  serve.child.kill('SIGTERM');
  const status = await Promise.race([serve.ended(), sleep(20_000, 'it goes on', { ref: false })]);
  return { status, took: performance.now() - began };
}
