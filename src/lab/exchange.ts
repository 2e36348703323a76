import type { IncomingMessage, ServerResponse } from 'node:http';
import { LabError } from './error.ts';
import type { FaultName, LabKind } from './fault.ts';
import type { Store } from './store.ts';
import type { FaultSubject, FaultSwitches } from './switches.ts';

/** How a registry of the lab behaves when nothing is wrong with it. */
export interface LabBehaviour {
  /** Of `Location` and `Link`. Absolute ones are built from Forwarded, X-Forwarded-* or Host, in Harbor's order. Default: relative. */
  locations: 'relative' | 'absolute';
  /**
   * `artifact-registry`: sessions lie outside `/v2/`, relative, and take no chunks: the whole blob by PUT, or by one PATCH. Tag lists have the
   * digests too, with the times of their uploads. Default: registry.
   */
  uploads: 'registry' | 'artifact-registry';
  /** `redirect`: GET of a blob is a 302 to a path outside `/v2/`, where an Authorization header is an error. Default: direct. */
  downloads: 'direct' | 'redirect';
  /** Base URL that redirects point to, instead of a relative path. Any lab registry that has the blob answers there. */
  redirectTo?: string | undefined;
  /** Entries of a tag list, catalog or referrers list in one page at most. Default 1000. */
  pageSize: number;
  /** Whether it has the referrers API. docker-registry 2.8 and distribution 3 have none. Default true. */
  referrers: boolean;
}

type ExchangeOptions = Pick<Exchange, 'req' | 'res' | 'path' | 'query' | 'store' | 'behaviour' | 'faults'> & {
  kind: LabKind;
};

/** One request and its reply, with what is needed to answer it. */
export class Exchange {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly behaviour: LabBehaviour;
  readonly faults: FaultSwitches;
  readonly closed: Promise<void>;
  /** Another one once the request has found the storage gone. */
  store: Store;
  readonly #subject: FaultSubject;

  constructor({ req, res, path, query, kind, store, behaviour, faults }: ExchangeOptions) {
    this.req = req;
    this.res = res;
    this.path = path;
    this.query = query;
    this.store = store;
    this.behaviour = behaviour;
    this.faults = faults;
    this.#subject = { kind, url: req.url ?? '' };
    this.closed = new Promise((resolve) => res.once('close', resolve));
  }

  get gone(): boolean {
    return this.res.closed || this.res.destroyed;
  }

  takeFault(
    name: FaultName,
    applies?: Parameters<FaultSwitches['takeFault']>[2],
  ): ReturnType<FaultSwitches['takeFault']> {
    return this.faults.takeFault(name, this.#subject, applies);
  }

  /** Waits as long as the fault holds this request. */
  hold(name: FaultName): Promise<void> {
    return this.faults.hold(name, this.#subject, this.closed);
  }

  /** Holds a body under way while the registry is frozen or its storage hangs. */
  async pause(): Promise<void> {
    await this.faults.pause('frozen', this.#subject, this.closed);
    await this.faults.pause('storageHung', this.#subject, this.closed);
  }

  reply(status: number, headers: Record<string, string | number> = {}, body: string | Buffer = ''): void {
    const length = status === 204 || status === 304 ? {} : { 'content-length': Buffer.byteLength(body) };
    this.res.writeHead(status, { ...length, ...headers });
    // The length stays that of the body on HEAD.
    this.res.end(this.req.method === 'HEAD' ? undefined : body);
  }

  json(status: number, value: unknown, headers: Record<string, string> = {}): void {
    this.reply(status, { 'content-type': 'application/json', ...headers }, JSON.stringify(value));
  }

  /**
   * Answers with an error. What is left of the request's body is read and dropped, so that the client sees the answer rather than
   * a reset; one that waits for 100 Continue may send its body or not, which leaves the connection of no use.
   */
  fail(error: LabError): void {
    const unread = this.req.headers.expect === undefined || this.req.complete ? {} : { connection: 'close' };
    this.reply(error.status, { 'content-type': 'application/json', ...error.headers, ...unread }, error.body());
  }

  /** A Location or Link as this registry writes them. */
  locate(path: string): string {
    return this.behaviour.locations === 'absolute' ? this.base() + path : path;
  }

  /** Scheme and host by which the client, or the proxy before us, came. */
  base(): string {
    const { headers } = this.req;
    const own = 'encrypted' in this.req.socket ? 'https' : 'http';
    const host = headers.host ?? 'localhost';
    const first = (value: string | string[] | undefined) =>
      String(value ?? '')
        .split(',')[0]
        ?.trim() || undefined;
    if (headers.forwarded === undefined)
      return `${first(headers['x-forwarded-proto']) ?? own}://${first(headers['x-forwarded-host']) ?? host}`;
    // As distribution does: Forwarded, even with nothing but `for=`, makes it ignore the X-Forwarded headers.
    const element = first(headers.forwarded) ?? '';
    const field = (name: string) => new RegExp(`(?:^|;)\\s*${name}="?([^";]+)`, 'i').exec(element)?.[1];
    return `${field('proto') ?? own}://${field('host') ?? host}`;
  }

  /** Body of the request, piece by piece; a client that waits for 100 Continue is told so now. */
  async *body(): AsyncGenerator<Buffer> {
    if (this.req.headers.expect?.toLowerCase() === '100-continue') this.res.writeContinue();
    for await (const chunk of this.req) {
      await this.pause();
      yield chunk as Buffer;
    }
  }

  /** @throws LabError 413 beyond `limit` bytes. */
  async readAll(limit: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of this.body()) {
      length += chunk.length;
      if (length > limit) throw new LabError(413, 'SIZE_INVALID', `at most ${limit} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }
}
