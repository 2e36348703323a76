import { ReadableSource } from './body/readable-source.ts';
import { StreamedBody } from './body/streamed-body.ts';
import type { Answer, Call, Client } from './client.ts';
import type { HeaderList } from './header-list.ts';
import type { BufferPool } from './reader/buffer-pool.ts';
import { Reader } from './reader/reader.ts';
import type { Resolver } from './resolver.ts';

/** Shared by all upstreams of the process. */
export interface Network {
  resolver: Resolver;
  pool: BufferPool;
}

/** An answer whose body is streamed. */
export interface StreamAnswer {
  status: number;
  headers: HeaderList;
  body: StreamedBody;
}

export interface StreamsOptions {
  /** PEM; undefined for the system's authorities. */
  ca: string | undefined;
  /** Authorities for the hosts that redirects lead to. */
  otherHostsCa: string[] | undefined;
  /** Milliseconds for TCP and TLS together. */
  connectMs: number;
  connections: number;
  network: Network;
}

/** Milliseconds for which a host with unreadable answers is asked by the other client at once. */
const UNREADABLE_MS = 600_000;
/** Redirect targets whose connections are kept. */
const MAX_OTHER_HOSTS = 8;

/** Sends the requests for blobs, whose long bodies are streamed. */
export class Streams {
  readonly #client: Client;
  readonly #options: StreamsOptions;
  readonly #origin: string;
  readonly #reader: Reader;
  /** By origin, the one used last at the end. */
  readonly #otherHosts = new Map<string, Reader>();
  /** Origins that the reader skips, and until when; epoch milliseconds. */
  readonly #unreadable = new Map<string, number>();

  constructor(client: Client, url: URL, options: StreamsOptions) {
    this.#client = client;
    this.#options = options;
    this.#origin = url.origin;
    this.#reader = this.#makeReader(url, options.ca);
  }

  /** @throws UpstreamError when there is no answer; the signal's reason when it was aborted before the head */
  async send(call: Call): Promise<StreamAnswer> {
    const read = await this.#read(this.#origin, () => this.#reader, call.path, call);
    return read ?? streamed(await this.#client.send(call));
  }

  /** Sends a request to another host. @param url absolute; `call.path` is ignored */
  async sendElsewhere(url: URL, call: Call): Promise<StreamAnswer> {
    const read = await this.#read(url.origin, () => this.#readerForHost(url), url.pathname + url.search, call);
    return read ?? streamed(await this.#client.sendElsewhere(url, call));
  }

  async destroy(): Promise<void> {
    await Promise.all([this.#reader, ...this.#otherHosts.values()].map((reader) => reader.destroy()));
  }

  /** Undefined when the reader cannot read the origin's answers. */
  async #read(
    origin: string,
    reader: () => Reader,
    path: string,
    { method, headers, signal }: Call,
  ): Promise<StreamAnswer | undefined> {
    if (method !== 'GET' || (this.#unreadable.get(origin) ?? 0) > Date.now()) return undefined;
    const answer = await reader().get({ path, headers, signal });
    if (answer !== 'unreadable')
      return { status: answer.status, headers: answer.headers, body: new StreamedBody(answer.body) };
    if (this.#unreadable.size >= MAX_OTHER_HOSTS) this.#unreadable.clear();
    this.#unreadable.set(origin, Date.now() + UNREADABLE_MS);
    return undefined;
  }

  #readerForHost(url: URL): Reader {
    const reader = this.#otherHosts.get(url.origin) ?? this.#makeReader(url, this.#options.otherHostsCa);
    this.#otherHosts.delete(url.origin);
    this.#otherHosts.set(url.origin, reader);
    for (const [origin, oldest] of this.#otherHosts) {
      if (this.#otherHosts.size <= MAX_OTHER_HOSTS) break;
      this.#otherHosts.delete(origin);
      // The oldest reader may still have bodies under way.
      oldest.closeWhenDone();
    }
    return reader;
  }

  #makeReader(url: URL, ca: string | string[] | undefined): Reader {
    const { connectMs, connections, network } = this.#options;
    return new Reader(url, { ca, connectMs, connections, ...network });
  }
}

function streamed({ status, headers, body }: Answer): StreamAnswer {
  return { status, headers, body: new StreamedBody(new ReadableSource(body)) };
}
