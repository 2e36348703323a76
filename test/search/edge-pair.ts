import { once } from 'node:events';
import { request } from 'node:http';
import { type MadeCertificate, makeCertificate } from '../../src/lab/certificate.ts';
import { Cleanup } from '../helpers/cleanup.ts';
import { type EdgeInProcess, makeEdgeInProcess } from '../helpers/edge-in-process.ts';
import type { Ask, Http1Client, Reply } from '../helpers/http1-client.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { PeerLine } from './peer-line.ts';
import type { VirtualTime } from './virtual-time.ts';

export const HOOK_SECRET = 'the secret of the hooks';
const ADMIN_TOKEN = 'the token of the operator';
const ROBOT_PASSWORD = 'secret of the robot';
/** Milliseconds for what must end: longer than every deadline of one request. */
const LONG = 60_000;

let certificate: Promise<MadeCertificate> | undefined;

interface Running {
  edge: EdgeInProcess;
  client: Http1Client;
  cleanup: Cleanup;
}

/** Two edges of one site that know each other. Each can be killed, and started again without what it knew. */
export class EdgePair {
  readonly #time: VirtualTime;
  readonly #lines: readonly PeerLine[];
  readonly #config: Record<string, unknown>;
  readonly #running: (Running | undefined)[] = [];

  private constructor(time: VirtualTime, lines: readonly PeerLine[], config: Record<string, unknown>) {
    this.#time = time;
    this.#lines = lines;
    this.#config = config;
  }

  static async start(owner: Owner, time: VirtualTime, config: Record<string, unknown>): Promise<EdgePair> {
    certificate ??= makeCertificate({ names: ['edge.test'], authority: true });
    const lines = await Promise.all([PeerLine.start(owner), PeerLine.start(owner)]);
    const pair = new EdgePair(time, lines, config);
    await Promise.all([pair.start(0), pair.start(1)]);
    return pair;
  }

  isRunning(index: number): boolean {
    return this.#running[index] !== undefined;
  }

  app(index: number): EdgeInProcess['app'] | undefined {
    return this.#running[index]?.edge.app;
  }

  async start(index: number): Promise<void> {
    if (this.#running[index]) return;
    const cleanup = new Cleanup();
    const edge = await this.#time
      .waitFor(certificate as Promise<MadeCertificate>, LONG, 'the certificate')
      .then((made) =>
        makeEdgeInProcess(
          cleanup,
          { ...this.#config, peers: [this.#lines[1 - index]?.url] },
          {
            certificate: made,
            key: Buffer.from('the key that both edges of the site have'),
            hookSecret: HOOK_SECRET,
            adminToken: ADMIN_TOKEN,
            secrets: { harbor: { probePassword: ROBOT_PASSWORD, replicationPassword: ROBOT_PASSWORD } },
            logLevel: 'silent',
          },
        ),
      );
    await this.#time.waitFor(edge.app.start(), LONG, 'the start of an edge');
    this.#running[index] = { edge, client: edge.http1(), cleanup };
    const line = this.#lines[index];
    if (line) line.port = edge.port;
  }

  /** Nothing more is heard of the edge, and all that it knew is gone. */
  async kill(index: number): Promise<void> {
    const [running, line] = [this.#running[index], this.#lines[index]];
    if (!running || !line) return;
    this.#running[index] = undefined;
    const wasCut = line.cut;
    line.cut = true;
    line.port = undefined;
    await this.#time.waitFor(running.cleanup.run(), LONG, 'the stop of an edge');
    line.cut = wasCut;
  }

  /** Whether the edges hear of each other. */
  set connected(connected: boolean) {
    for (const line of this.#lines) line.cut = !connected;
  }

  get connected(): boolean {
    return this.#lines.every(({ cut }) => !cut);
  }

  /** Until when an edge has heard what the other one knows; milliseconds of the host's clock. Undefined: never. */
  heardAt(index: number): number | undefined {
    const other = this.#lines[1 - index]?.url;
    const view = this.app(index)
      ?.status()
      .peers.find(({ url }) => url === other);
    return view?.state === 'in-step' && view.heardAt ? Date.parse(view.heardAt) : undefined;
  }

  /** `breakwater accept harbor`. @returns whether the edge did it */
  async accept(index: number): Promise<boolean> {
    const port = this.app(index)?.addresses().admin.port;
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    const call = request({
      host: '127.0.0.1',
      port,
      path: '/api/accept?what=harbor',
      method: 'POST',
      headers,
      agent: false,
    });
    const answered = once(call.end(), 'response').then(async ([response]) => {
      await response.toArray();
      return response.statusCode === 200;
    });
    return this.#time.waitFor(answered, LONG, 'accept');
  }

  /** Undefined: there was no reply. */
  ask(index: number, path: string, ask: Ask): Promise<Reply | undefined> {
    const client = this.#running[index]?.client;
    if (!client) return Promise.resolve(undefined);
    const asked = client.ask(path, ask).catch(() => undefined);
    return this.#time.waitFor(asked, LONG, `${ask.method ?? 'GET'} ${path}`);
  }
}

/** What every request of the edges' own user brings. */
export const ROBOT = { name: 'robot', password: ROBOT_PASSWORD };
