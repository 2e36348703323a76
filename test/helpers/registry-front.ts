import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { freePorts } from '../../bench/proxies/ports.ts';
import { OWN_ADDRESS } from './own-address.ts';
import type { Owner } from './temporary-folder.ts';

/** `down`: refuses connections; `hung`: takes them and never answers; `no-database`: answers, and knows nobody. */
export type FrontState = 'well' | 'down' | 'hung' | 'no-database';

/** Answers a request itself, or says where it is to go. */
export type FrontRule = (request: IncomingMessage, response: ServerResponse) => Promise<'answered' | 'pass'>;

/** What stands before a real registry, as the front and the core of Harbor do: its token service, and the ways in which it fails. */
export class RegistryFront {
  readonly #server: Server;
  readonly #rule: FrontRule;
  readonly #dead: FrontRule;
  readonly #held = new Set<ServerResponse>();
  #registry: string | undefined;
  #state: FrontState = 'well';
  #port = 0;

  /** @param dead how it answers while its database is down */
  constructor(owner: Owner, rule: FrontRule, dead: FrontRule = emptyChallenge) {
    this.#rule = rule;
    this.#dead = dead;
    this.#server = createServer((asked, response) => void this.#answer(asked, response));
    owner.teardown(() => this.set('down'));
  }

  async listen(): Promise<this> {
    if (this.#port === 0) [this.#port = 0] = await freePorts(1);
    this.#server.listen(this.#port, OWN_ADDRESS);
    await once(this.#server, 'listening');
    return this;
  }

  /** @param address of the registry behind it, `ADDRESS:PORT`; without one it passes nothing on */
  before(address: string): void {
    this.#registry = address;
  }

  /** `ADDRESS:PORT`, the same over all its states. */
  get address(): string {
    return `${OWN_ADDRESS}:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  async set(state: FrontState): Promise<void> {
    this.#state = state;
    for (const response of this.#held) response.destroy();
    this.#held.clear();
    if (state === 'down') {
      this.#server.close();
      this.#server.closeAllConnections();
    } else if (!this.#server.listening) await this.listen();
  }

  async #answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#state === 'hung') {
      this.#held.add(response);
      return;
    }
    const rule = this.#state === 'no-database' ? this.#dead : this.#rule;
    if ((await rule(asked, response)) === 'pass') this.#pass(asked, response);
  }

  #pass(asked: IncomingMessage, response: ServerResponse): void {
    const [host, port] = (this.#registry ?? '').split(':');
    if (!port) {
      response.writeHead(404).end();
      return;
    }
    const { method, url, headers } = asked;
    const call = request({ host, port, method, path: url, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    call.on('error', () => response.destroy());
    response.on('close', () => {
      call.destroy();
      // What was answered before all of it came is read to its end, else the next request on that connection never is.
      asked.unpipe();
      asked.resume();
    });
    asked.pipe(call);
  }
}

/** As Harbor does whose database is down: 401, and no word of how to log in. */
async function emptyChallenge(_asked: IncomingMessage, response: ServerResponse): Promise<'answered'> {
  response.writeHead(401, { 'content-type': 'application/json', 'www-authenticate': '' });
  response.end('{"errors":[{"code":"UNAUTHORIZED","message":"unauthorized"}]}');
  return 'answered';
}
