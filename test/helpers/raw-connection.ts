import { once } from 'node:events';
import tls, { type TLSSocket } from 'node:tls';
import type { ClientTarget } from './http1-client.ts';
import type { Owner } from './temporary-folder.ts';
import { until } from './until.ts';

/** A TLS connection that says exactly what it is told to, and sees how the other side ends it. */
export class RawConnection {
  readonly socket: TLSSocket;
  #received = Buffer.alloc(0);
  #end: 'open' | 'fin' | 'reset' = 'open';

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
    });
    socket.on('end', () => {
      this.#end = 'fin';
    });
    socket.on('error', () => {
      this.#end = 'reset';
    });
  }

  static async connect(owner: Owner, { port, ca, host }: ClientTarget): Promise<RawConnection> {
    const socket = tls.connect({ host: '127.0.0.1', port, ca, servername: host, ALPNProtocols: ['http/1.1'] });
    owner.teardown(() => socket.destroy());
    await once(socket, 'secureConnect');
    return new RawConnection(socket);
  }

  get received(): Buffer {
    return this.#received;
  }

  get text(): string {
    return this.#received.toString('latin1');
  }

  /** How it ended: `fin` is an orderly end, `reset` any error. */
  get end(): 'open' | 'fin' | 'reset' {
    return this.#end;
  }

  send(text: string | Buffer): void {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  /** Waits for text to have come. */
  async heard(pattern: RegExp): Promise<RegExpExecArray> {
    return until(() => pattern.exec(this.text) ?? undefined, {
      every: 5,
      what: () => `${pattern} in ${JSON.stringify(this.text.slice(0, 2000))} (${this.#end})`,
    });
  }

  /** Resolves when the connection is gone. */
  async closed(): Promise<string> {
    if (!this.socket.closed) await once(this.socket, 'close').catch(() => undefined);
    return this.text;
  }
}
