import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EdgeInProcess, PROBE, type RequestLine, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import type { Reply } from '../../helpers/http1-client.ts';
import { MANIFEST_TYPE, manifestOf, sha256 } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';

export const CONTENT = Buffer.from('the bytes of a blob '.repeat(5000));
export const MANIFEST = manifestOf(CONTENT);
const [BLOB_DIGEST, DIGEST] = [sha256(CONTENT), sha256(MANIFEST)];
export const BLOB = `/v2/app/blobs/${BLOB_DIGEST}`;
export const BY_DIGEST = `/v2/app/manifests/${DIGEST}`;

/** Milliseconds to the answer; `never`: it is held until the other side leaves. */
export type Pace = number | 'never';

export type Answer = (req: IncomingMessage, res: ServerResponse) => unknown;

/** A registry of one image that answers when, and what, a test wants. Pings and canary are answered at once, whatever the pace. */
export class PacedUpstream {
  pace: Pace = 0;
  answer: Answer = serveRight;
  /** What answers reads of the canary. */
  canary: Answer = serveRight;
  /** All requests but those of probes. */
  asked = 0;
  /** Requests whose client went before they were answered. */
  left = 0;
  /** Most requests that were under way at once. */
  most = 0;
  /** Replies under way. */
  readonly open = new Set<ServerResponse>();
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
    server.on('request', (req: IncomingMessage, res: ServerResponse) => void this.#take(req, res));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    res.on('error', () => undefined);
    if (req.url === '/v2/') return void res.end('{}');
    if (req.url === '/v2/_catalog?n=1') return void res.end('{"repositories":["app"]}');
    if (req.url?.startsWith('/v2/canary/')) return void this.canary(req, res);
    this.asked += 1;
    this.open.add(res);
    this.most = Math.max(this.most, this.open.size);
    const closed = once(res, 'close');
    void closed.then(() => {
      this.open.delete(res);
      if (!res.writableFinished) this.left += 1;
    });
    const { pace, answer } = this;
    await Promise.race([closed, pace === 'never' ? closed : sleep(pace)]);
    if (!res.closed) answer(req, res);
  }
}

export const serveRight: Answer = (req, res) => {
  const bytes = writeHead(req, res);
  res.end(req.method === 'HEAD' ? undefined : bytes);
};

/** The same head at once, after which the body trickles: 20 bytes every 50 ms, but for what comes first. */
export function serveTrickle(first = 0): Answer {
  return async (req, res) => {
    const bytes = writeHead(req, res);
    res.flushHeaders();
    if (first > 0) res.write(bytes.subarray(0, first));
    for (let sent = first; sent < bytes.length && !res.destroyed; sent += 20) {
      await sleep(timeLimit(50));
      res.write(bytes.subarray(sent, sent + 20));
    }
    res.end();
  };
}

/** @returns what is to be sent after it */
function writeHead(req: IncomingMessage, res: ServerResponse): Buffer {
  const manifest = req.url?.includes('/manifests/') ?? false;
  const bytes = manifest ? MANIFEST : CONTENT;
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(req.headers.range ?? '') ?? [];
  const end = last ? Number(last) + 1 : bytes.length;
  const part = !manifest && first !== undefined ? bytes.subarray(Number(first), end) : bytes;
  res.writeHead(part === bytes ? 200 : 206, {
    'content-type': manifest ? MANIFEST_TYPE : 'application/octet-stream',
    'docker-content-digest': manifest ? DIGEST : BLOB_DIGEST,
    'content-length': part.length,
    ...(part === bytes ? {} : { 'content-range': `bytes ${first}-${end - 1}/${bytes.length}` }),
  });
  return part;
}

/** Answers with a status and nothing else. */
export function status(code: number, headers: Record<string, string> = {}): Answer {
  return (_, res) => void res.writeHead(code, { 'content-length': 0, ...headers }).end();
}

export async function startPacedUpstream(owner: Owner): Promise<PacedUpstream> {
  const server = createServer();
  const upstream = new PacedUpstream(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.teardown(() => upstream.close());
  return upstream;
}

export interface PacedSite {
  edge: EdgeInProcess;
  harbor: PacedUpstream;
  gcr: PacedUpstream;
  /** A further fallback. */
  quay: PacedUpstream;
}

export interface PacedOptions {
  /** Adds to every upstream. */
  all?: Record<string, unknown>;
  harbor?: Record<string, unknown>;
  gcr?: Record<string, unknown>;
  /** Adds to the one route. */
  route?: Record<string, unknown>;
  /** Adds to the top level. */
  config?: Record<string, unknown>;
}

/** An edge before three of them, of which only answers of `harbor` are ever late unless `all` says otherwise. */
export async function startPacedSite(owner: Owner, options: PacedOptions = {}): Promise<PacedSite> {
  const [harbor, gcr, quay] = await Promise.all([
    startPacedUpstream(owner),
    startPacedUpstream(owner),
    startPacedUpstream(owner),
  ]);
  const upstream = ({ url }: PacedUpstream, floor: string, more: Record<string, unknown> = {}) => ({
    urls: [url],
    probe: { ...PROBE, canary: 'canary:latest' },
    hedge: { floor },
    ...options.all,
    ...more,
  });
  const edge = await startEdgeInProcess(owner, {
    upstreams: {
      harbor: upstream(harbor, '40ms', options.harbor),
      gcr: upstream(gcr, '5s', options.gcr),
      quay: upstream(quay, '5s'),
    },
    routes: [
      {
        prefix: '',
        push: 'harbor',
        pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }, { upstream: 'quay' }],
        ...options.route,
      },
    ],
    manifests: { memory: 0 },
    // So that a test can be several clients.
    trustedProxies: ['127.0.0.0/8'],
    ...options.config,
  });
  return { edge, harbor, gcr, quay };
}

/** Waits until that one would be asked first again, after it was late. */
export async function asksFirst({ edge }: Pick<PacedSite, 'edge'>, name = 'harbor', image = 'app:1'): Promise<void> {
  let first: unknown;
  await until(
    async () => {
      first = JSON.parse((await edge.admin(`/api/explain?image=${image}`)).body).pull[0];
      return (first as { upstream: string }).upstream === name;
    },
    { every: 5, what: () => `${name} to be asked first: ${JSON.stringify(first)}` },
  );
}

export interface HedgedLine extends RequestLine {
  id: string;
  hedges?: { started: number; won: number; refused: number };
  detail?: string;
  coalesced?: boolean;
  memory?: boolean;
  tag?: { verdict: string; action: string; text?: string };
  verified?: string;
}

/** The log line of the request that was answered so. */
export async function lineFor(edge: EdgeInProcess, { headers }: Pick<Reply, 'headers'>): Promise<HedgedLine> {
  return (await edge.line((line) => (line as HedgedLine).id === headers['x-request-id'])) as HedgedLine;
}

/** Waits until no request is under way, as the edge sees it, and every buffer was given back. */
export async function allQuiet(edge: EdgeInProcess): Promise<void> {
  const inFlight = () => edge.app.status().upstreams.flatMap(({ urls }) => urls.map((url) => url.inFlight));
  await until(() => inFlight().every(({ data, control }) => data + control === 0), {
    what: () => `nothing to be under way: ${JSON.stringify(inFlight())}`,
  });
  const buffers = async () =>
    /^breakwater_buffers_bytes\{state="in_use"\} (\d+)$/m.exec((await edge.admin('/metrics')).body);
  await until(async () => (await buffers())?.[1] === '0', { what: () => 'every buffer to be given back' });
}
