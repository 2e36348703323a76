import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePorts } from '../../bench/proxies/ports.ts';
import { OWN_ADDRESS } from './own-address.ts';
import { Program } from './program.ts';
import { RegistryStorage } from './registry-storage.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { tool } from './tool.ts';

export interface RegistryOptions {
  /** Keep facts about blobs in memory, as most installations do. Default: true. */
  cache?: boolean;
  /** Address that it listens on. Default: that of all servers of tests. */
  host?: string;
  /** Its configuration's `auth`. Default: open. */
  auth?: object;
  /** Endpoint that it tells of what happens (distribution's `notifications`), and the file of its authority. Default: none. */
  notify?: { url: string; authorization: string; caFile: string };
  /** Files of the certificate with which it speaks HTTPS, and so HTTP/2. Default: plain HTTP/1.1. */
  tls?: { certFile: string; keyFile: string };
}

/** A real docker-registry, with storage of its own that can be broken. */
export class Registry {
  readonly storage: RegistryStorage;
  /** Its `readonly` mode, from its next start on. */
  readOnly = false;
  readonly #program: Program;
  readonly #configFile: string;
  readonly #logFile: string;
  readonly #cache: boolean;
  readonly #host: string;
  readonly #auth: object | undefined;
  readonly #notify: RegistryOptions['notify'];
  readonly #tls: RegistryOptions['tls'];
  #port = 0;

  constructor(owner: Owner, { cache = true, host = OWN_ADDRESS, auth, notify, tls }: RegistryOptions = {}) {
    const folder = temporaryFolder(owner);
    this.#configFile = join(folder, 'config.yml');
    this.#logFile = join(folder, 'registry.log');
    this.#cache = cache;
    this.#host = host;
    this.#auth = auth;
    this.#notify = notify;
    this.#tls = tls;
    this.storage = new RegistryStorage(join(folder, 'storage'));
    this.#program = new Program(owner, {
      command: tool('docker-registry'),
      args: ['serve', this.#configFile],
      logFile: this.#logFile,
      env: { PATH: process.env.PATH, ...(notify && { SSL_CERT_FILE: notify.caFile }) },
    });
  }

  /** Also after `kill`: again on the same port, with the same storage. */
  async start(): Promise<void> {
    await mkdir(this.storage.root, { recursive: true });
    if (this.#port === 0) [this.#port = 0] = await freePorts(1);
    writeFileSync(this.#configFile, stringify(this.#config()));
    this.#program.start();
    await this.#program.waitForLog(/listening on [\d.]+:\d+/);
  }

  /** `ADDRESS:PORT` */
  get address(): string {
    return `${this.#host}:${this.#port}`;
  }

  get url(): string {
    return `${this.#tls ? 'https' : 'http'}://${this.address}`;
  }

  async kill(): Promise<void> {
    await this.#program.kill();
  }

  /** SIGSTOP: the kernel goes on accepting connections, nobody answers. */
  freeze(): void {
    this.#program.signal('SIGSTOP');
  }

  thaw(): void {
    this.#program.signal('SIGCONT');
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8');
  }

  /** Request lines it has answered, such as `GET /v2/`, oldest first. */
  requests(): string[] {
    return [...this.log().matchAll(/^[\d.]+ - \S+ \[[^\]]+\] "([A-Z]+ [^ ]+) HTTP/gm)].map((match) => match[1] ?? '');
  }

  /** How many requests it has answered that could change something. */
  writes(): number {
    return this.requests().filter((line) => /^(POST|PUT|PATCH|DELETE) /.test(line)).length;
  }

  #config(): unknown {
    return {
      version: '0.1',
      storage: {
        filesystem: { rootdirectory: this.storage.root },
        delete: { enabled: true },
        ...(this.readOnly ? { maintenance: { readonly: { enabled: true } } } : {}),
        ...(this.#cache ? { cache: { blobdescriptor: 'inmemory' } } : {}),
      },
      http: {
        addr: this.address,
        ...(this.#tls && { tls: { certificate: this.#tls.certFile, key: this.#tls.keyFile } }),
      },
      ...(this.#auth === undefined ? {} : { auth: this.#auth }),
      ...(this.#notify === undefined ? {} : { notifications: { endpoints: [endpointOf(this.#notify)] } }),
    };
  }
}

function endpointOf({ url, authorization }: NonNullable<RegistryOptions['notify']>): object {
  return {
    name: 'edge',
    url,
    headers: { Authorization: [authorization] },
    timeout: '1s',
    threshold: 3,
    backoff: '100ms',
  };
}

export async function startRegistry(owner: Owner, options?: RegistryOptions): Promise<Registry> {
  const registry = new Registry(owner, options);
  await registry.start();
  return registry;
}
