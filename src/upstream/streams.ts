import { LRUCache } from 'lru-cache';
import { ReadableSource } from './body/readable-source.ts';
import type { StreamedBody } from './body/streamed-body.ts';
import { type Answer, type Call, type CallElsewhere, type Client, type ClientOptions, otherHostsCa } from './client.ts';
import type { CredentialSources } from './credentials/credential-sources.ts';
import type { HeaderList } from './header-list.ts';
import type { BufferPool } from './reader/buffer-pool.ts';
import { Reader, type ReaderOptions } from './reader/reader.ts';
import type { Resolver } from './resolver.ts';

/** Shared by all upstreams of the process. */
export interface Network {
  resolver: Resolver;
  pool: BufferPool;
  /** Default: each connection has its own. */
  sources?: CredentialSources;
}

/** An answer whose body is streamed. */
export interface StreamAnswer {
  status: number;
  headers: HeaderList;
  body: StreamedBody;
}

/** Milliseconds for which a host with unreadable answers is asked by the other client at once. */
const UNREADABLE_MS = 600_000;
/** Redirect targets whose connections are kept. */
const MAX_OTHER_HOSTS = 8;

/** Sends the requests for blobs, whose long bodies are streamed. */
export class Streams {
  readonly #client: Client;
  readonly #origin: string;
  readonly #reader: Reader;
  /** By origin. */
  readonly #otherHosts: LRUCache<string, Reader>;
  /** Origins that the reader skips. */
  readonly #unreadable = new LRUCache<string, true>({
    maxSize: MAX_OTHER_HOSTS,
    sizeCalculation: () => 1,
    ttl: UNREADABLE_MS,
  });

  constructor(client: Client, url: URL, options: ReaderOptions & Pick<ClientOptions, 'ca' | 'elsewhere'>) {
    this.#client = client;
    this.#origin = url.origin;
    this.#reader = new Reader(url, options);
    const ca = otherHostsCa(options.ca);
    const resolver = options.elsewhere ?? options.resolver;
    this.#otherHosts = new LRUCache<string, Reader>({
      maxSize: MAX_OTHER_HOSTS,
      sizeCalculation: () => 1,
      memoMethod: (origin) => new Reader(new URL(origin), { ...options, ca, resolver }),
      // The reader used longest ago may still have bodies under way.
      dispose: (reader) => reader.closeWhenDone(),
    });
  }

  /** @throws UpstreamError when there is no answer; the signal's reason when it was aborted before the head */
  async send(call: Call): Promise<StreamAnswer> {
    const read = await this.#read(this.#origin, call);
    return read ?? streamed(await this.#client.send(call));
  }

  /** Sends a request to another host. @param url absolute */
  async sendElsewhere(url: URL, call: CallElsewhere): Promise<StreamAnswer> {
    const read = await this.#read(url.origin, { ...call, path: url.pathname + url.search });
    return read ?? streamed(await this.#client.sendElsewhere(url, call));
  }

  destroy(): void {
    for (const reader of [this.#reader, ...this.#otherHosts.values()]) reader.destroy();
  }

  /** Undefined when the reader cannot read the origin's answers. */
  async #read(origin: string, call: Call): Promise<StreamAnswer | undefined> {
    if (call.method !== 'GET' || this.#unreadable.has(origin)) return undefined;
    const reader = origin === this.#origin ? this.#reader : this.#otherHosts.memo(origin);
    const answer = await reader.get(call);
    if (answer !== 'unreadable') return answer;
    this.#unreadable.set(origin, true);
    return undefined;
  }
}

function streamed({ status, headers, body }: Answer): StreamAnswer {
  return { status, headers, body: new ReadableSource(body) };
}
