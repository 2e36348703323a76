import { once } from 'node:events';
import { request } from 'node:http';
import { pino } from 'pino';
import { type App, createApp } from '../../src/app/app.ts';
import { parseConfig } from '../../src/config/inspection.ts';
import type { Loaded } from '../../src/config/load.ts';
import type { Material } from '../../src/config/material.ts';
import { type MadeCertificate, makeCertificate } from '../../src/lab/certificate.ts';
import { Http1Client } from './http1-client.ts';
import { Http2Client } from './http2-client.ts';
import type { Owner } from './temporary-folder.ts';
import { until } from './until.ts';
import { scaleUpstreamTimes } from './upstream-times.ts';

export const HOSTNAME = 'edge.test';

export interface EdgeSettings {
  /** What `keyFile` would hold. */
  key?: Buffer;
  /** By upstream: what their files would hold. */
  secrets?: Material['upstreams'];
  certificate?: MadeCertificate;
  /** What `tls.acme.caFile` would hold. */
  acmeCa?: string;
  /** What `auth.htpasswdFile` would hold: user -> bcrypt hash. */
  users?: Record<string, string>;
  /** What `adminTokenFile` and `metricsTokenFile` would hold. */
  adminToken?: string;
  metricsToken?: string;
  /** What the password file of `auth.canary` would hold. */
  canaryPassword?: string;
  /** What `replication.hookSecretFile` would hold. */
  hookSecret?: string;
  /** Lines that the log of the edge has dropped. */
  droppedLogLines?: () => number;
  /** The least level that is logged. Default: debug. */
  logLevel?: 'debug' | 'silent';
}

/** One line of the log per request, as far as tests look at it. */
export interface RequestLine {
  kind: string;
  outcome: string;
  status: number;
  upstream?: string;
  attempts: { upstream: string; class: string; outcome: string; reason?: string; reads?: number }[];
}

/** The whole edge within the process of the test, its configuration given as an object. */
export class EdgeInProcess {
  readonly app: App;
  readonly certificate: MadeCertificate;
  readonly #owner: Owner;
  readonly #lines: string[];
  readonly #settings: EdgeSettings;

  constructor(owner: Owner, app: App, certificate: MadeCertificate, settings: EdgeSettings, lines: string[]) {
    this.#owner = owner;
    this.app = app;
    this.certificate = certificate;
    this.#settings = settings;
    this.#lines = lines;
  }

  get port(): number {
    return this.app.addresses().https.port;
  }

  /** Everything that was logged. */
  get log(): string {
    return this.#lines.join('');
  }

  /** Drops what was logged so far. */
  forgetLog(): void {
    this.#lines.length = 0;
  }

  /** The log lines of requests, oldest first. */
  get requests(): RequestLine[] {
    return this.#lines.flatMap((line) => JSON.parse(line).request ?? []).filter((one) => typeof one === 'object');
  }

  /** Waits for the line of a request. */
  line(wanted: (line: RequestLine) => boolean): Promise<RequestLine> {
    return until(() => this.requests.find(wanted), { what: () => `${wanted} in ${this.log}` });
  }

  /** A client with one kept connection. */
  http1(): Http1Client {
    const client = new Http1Client({ port: this.port, ca: this.certificate.ca, host: HOSTNAME });
    this.#owner.teardown(() => client.close());
    return client;
  }

  http2(): Http2Client {
    const client = new Http2Client({ port: this.port, ca: this.certificate.ca, host: HOSTNAME });
    this.#owner.teardown(() => client.close());
    return client;
  }

  /** Status and body of a GET on the admin listener. */
  admin(path: string, token?: string): Promise<{ status: number; body: string }> {
    return this.#askAdmin('GET', path, token);
  }

  /** Status and body of a POST on the admin listener. */
  adminPost(path: string, token: string): Promise<{ status: number; body: string }> {
    return this.#askAdmin('POST', path, token);
  }

  async #askAdmin(method: string, path: string, token?: string): Promise<{ status: number; body: string }> {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const { port } = this.app.addresses().admin;
    const call = request({ host: '127.0.0.1', port, path, method, headers, agent: false }).end();
    const [response] = await once(call, 'response');
    return { status: response.statusCode, body: Buffer.concat(await response.toArray()).toString() };
  }

  /** Another configuration with the same secrets and, unless another is given, the same certificate. */
  async reload(config: Record<string, unknown>, settings: EdgeSettings = {}): Promise<void> {
    await this.app.reload(
      loadedFrom(config, settings.certificate ?? this.certificate, { ...this.#settings, ...settings }),
    );
  }

  /** Waits until the edge itself says so of an upstream. */
  upstream(name: string, state: 'up' | 'down'): Promise<unknown> {
    return until(() => this.app.status().upstreams.find((one) => one.name === name)?.state === state, {
      what: () => `${name} to be ${state}: ${JSON.stringify(this.app.status().upstreams)}`,
    });
  }

  /** Waits until pushes to an upstream are admitted, or not. */
  pushes(name: string, admitted: boolean): Promise<unknown> {
    return until(() => this.app.status().upstreams.find((one) => one.name === name)?.pushes?.admitted === admitted, {
      what: () => `pushes to ${name} admitted: ${admitted}`,
    });
  }
}

/** A probe that changes its mind at once. */
export const PROBE = {
  interval: '50ms',
  fastInterval: '20ms',
  timeout: '1s',
  fall: 1,
  rise: 1,
  holdDown: '0s',
  settle: '0s',
};
/** A probe that, after the first, stays out of the way. */
export const RARE_PROBE = { interval: '1h', fastInterval: '1h' };

/** Starts an edge on free ports of 127.0.0.1. `config` adds to, or replaces, the top level. */
export async function startEdgeInProcess(
  owner: Owner,
  config: Record<string, unknown>,
  settings: EdgeSettings = {},
): Promise<EdgeInProcess> {
  const edge = await makeEdgeInProcess(owner, config, settings);
  await edge.app.start();
  return edge;
}

let made: Promise<MadeCertificate> | undefined;
/** That of all edges of a process of tests, unless one brings its own: to make one takes longer than many a test. */
function ownCertificate(): Promise<MadeCertificate> {
  made ??= makeCertificate({ names: [HOSTNAME], authority: true });
  return made;
}

/** The same before its start. */
export async function makeEdgeInProcess(
  owner: Owner,
  config: Record<string, unknown>,
  settings: EdgeSettings = {},
): Promise<EdgeInProcess> {
  const certificate = settings.certificate ?? (await ownCertificate());
  const lines: string[] = [];
  const log = pino({ level: settings.logLevel ?? 'debug' }, { write: (line: string) => void lines.push(line) });
  const { droppedLogLines } = settings;
  const app = await createApp(loadedFrom(config, certificate, settings), {
    log,
    ...(droppedLogLines ? { droppedLogLines } : {}),
  });
  owner.teardown(() => app.stop());
  return new EdgeInProcess(owner, app, certificate, settings, lines);
}

function loadedFrom(input: Record<string, unknown>, certificate: MadeCertificate, settings: EdgeSettings): Loaded {
  const { config, warnings } = parseConfig({
    hostname: HOSTNAME,
    listen: { https: '127.0.0.1:0', admin: '127.0.0.1:0' },
    tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
    drain: { announce: '0s', timeout: '2s' },
    ...scaleUpstreamTimes(input),
  });
  const { cert, key } = certificate;
  return {
    path: 'in-memory.yaml',
    config,
    warnings,
    material: {
      tls: [{ certFile: 'tls.crt', keyFile: 'tls.key', cert, key }],
      keys: settings.key ? [settings.key] : [],
      acmeCa: settings.acmeCa,
      adminToken: settings.adminToken,
      metricsToken: settings.metricsToken,
      passwords: settings.users && { file: 'users', users: new Map(Object.entries(settings.users)) },
      canaryPassword: settings.canaryPassword,
      hookSecret: settings.hookSecret,
      upstreams: settings.secrets ?? {},
    },
  };
}
