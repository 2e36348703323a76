import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EdgeInProcess, RARE_PROBE, type RequestLine, startEdgeInProcess } from '../../helpers/edge-in-process.ts';
import type { Client, Reply } from '../../helpers/http1-client.ts';
import { CLOUD, INNER, type LabSite, type LabSiteOptions, sha256, startLabSite } from '../../helpers/lab-site.ts';
import type { Owner } from '../../helpers/temporary-folder.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';

/** A blob that needs many chunks, whatever reads it. */
export const CONTENT = randomBytes(900_000);
export const TOTAL = CONTENT.length;
export const DIGEST = sha256(CONTENT);
export const BLOB = `/v2/library/big/blobs/${DIGEST}`;
/** The same in a repository below a prefix of its own. */
export const blobBelow = (prefix: string) => `/v2/${prefix}big/blobs/${DIGEST}`;

/** Two registries with the blob, of which no probe says anything after the first, and without hedges. */
export async function startSpliceSite(owner: Owner, options: LabSiteOptions = {}): Promise<LabSite> {
  const quiet = { probe: RARE_PROBE, deadlines: { stall: '400ms' }, hedge: { share: 0 } };
  const site = await startLabSite(owner, {
    canary: false,
    ...options,
    harbor: { ...quiet, ...options.harbor },
    gcr: { ...quiet, ...options.gcr },
  });
  site.primary.seed(`${INNER}library/big`, '1', { blobs: [CONTENT] });
  site.fallback.seed(`${CLOUD}library/big`, '1', { blobs: [CONTENT] });
  return site;
}

/** Waits until a registry is asked first again, after it was met with trouble. */
export async function back(site: LabSite, client: Client, upstream = 'harbor'): Promise<void> {
  const path = `/v2/library/app/blobs/${site.blob(1)}`;
  await until(async () => (await client.ask(path)).headers['x-breakwater-upstream'] === upstream, {
    what: () => `${upstream} to be asked first`,
  });
}

/** A log line with its changes of upstream. */
export interface SplicedLine extends RequestLine {
  id: string;
  splices?: { from: string; to?: string; reason: string; at: number; ms: number }[];
}

/** The log line of the request that was answered so. */
export async function lineOf(edge: EdgeInProcess, { headers }: Pick<Reply, 'headers'>): Promise<SplicedLine> {
  return (await edge.line((line) => (line as SplicedLine).id === headers['x-request-id'])) as SplicedLine;
}

/** Every permit and every buffer is back. */
export async function nothingLeft(edge: EdgeInProcess): Promise<void> {
  const inFlight = () => edge.app.status().upstreams.flatMap(({ urls }) => urls.map((url) => url.inFlight));
  await until(() => inFlight().every(({ data, control }) => data + control === 0), {
    what: () => `nothing to be under way: ${JSON.stringify(inFlight())}`,
  });
  let metric = '';
  await until(
    async () => {
      const { body } = await edge.admin('/metrics');
      metric = /^breakwater_buffers_bytes\{state="in_use"\} .*$/m.exec(body)?.[0] ?? 'no such metric';
      return / 0$/.test(metric);
    },
    { what: () => `every buffer to be given back: ${metric}` },
  );
}

/** The first byte and the length of a Range header; undefined: there is none. */
export function rangeOf({ headers }: Pick<IncomingMessage, 'headers'>): { first: number; last: number } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  return match ? { first: Number(match[1]), last: match[2] ? Number(match[2]) : TOTAL - 1 } : undefined;
}

export interface MadeRequest {
  req: IncomingMessage;
  res: ServerResponse;
  /** How many requests of the blob came before. */
  nth: number;
  /** From the Range header, or the whole. */
  first: number;
  last: number;
}

/** A registry of one blob that answers as a test wants; everything but the blob is answered as a ping. */
export class MadeUpstream {
  readonly requests: IncomingMessage[] = [];
  /** Replies that are under way. */
  readonly open = new Set<ServerResponse>();
  readonly #server: Server;

  constructor(server: Server, answer: (request: MadeRequest) => unknown) {
    this.#server = server;
    server.on('request', (req: IncomingMessage, res: ServerResponse) => {
      res.on('error', () => undefined);
      if (!req.url?.includes('/blobs/')) return void res.end('{}');
      this.open.add(res);
      res.once('close', () => this.open.delete(res));
      const nth = this.requests.push(req) - 1;
      const { first, last } = rangeOf(req) ?? { first: 0, last: TOTAL - 1 };
      answer({ req, res, nth, first, last });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get ranges(): (string | undefined)[] {
    return this.requests.map(({ headers }) => headers.range);
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

export async function startMadeUpstream(
  owner: Owner,
  answer: (request: MadeRequest) => unknown,
): Promise<MadeUpstream> {
  const server = createServer();
  const upstream = new MadeUpstream(server, answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.teardown(() => upstream.close());
  return upstream;
}

/** Answers as a registry should. */
export function serveRight({ req, res, first, last }: MadeRequest): void {
  if (!req.headers.range) return void res.writeHead(200, { 'content-length': TOTAL }).end(CONTENT);
  res.writeHead(206, { 'content-length': last - first + 1, 'content-range': `bytes ${first}-${last}/${TOTAL}` });
  res.end(CONTENT.subarray(first, last + 1));
}

/** The same, but the connection is reset after so many bytes of the body. */
export async function serveBroken({ req, res, first, last }: MadeRequest, bytes: number): Promise<void> {
  const head = { 'content-length': last - first + 1, 'content-range': `bytes ${first}-${last}/${TOTAL}` };
  res.writeHead(req.headers.range ? 206 : 200, head);
  await new Promise<void>((resolve) => {
    res.write(CONTENT.subarray(first, Math.min(first + bytes, last)), () => resolve());
  });
  // A reset discards what is still on its way.
  await sleep(timeLimit(20));
  req.socket.resetAndDestroy();
}

/** A registry that breaks off once, after so many bytes of the body, and fails from then on. */
export function startBreaking(owner: Owner, bytes: number): Promise<MadeUpstream> {
  return startMadeUpstream(owner, (request) => {
    if (request.nth === 0) void serveBroken(request, bytes);
    else request.res.writeHead(500).end();
  });
}

/** An edge before these, in this order. @param more adds to the configuration of each */
export function startEdgeBefore(
  owner: Owner,
  upstreams: Record<string, { url: string }>,
  config: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
): Promise<EdgeInProcess> {
  return startEdgeOf(owner, { '': upstreams }, config, more);
}

/** An edge with a route for each prefix, to these upstreams in this order; the same name is the same upstream everywhere. */
export function startEdgeOf(
  owner: Owner,
  routes: Record<string, Record<string, { url: string }>>,
  config: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
): Promise<EdgeInProcess> {
  const settings = { probe: RARE_PROBE, deadlines: { stall: '400ms', blob: '2s' }, hedge: { share: 0 }, ...more };
  const upstreams = Object.values(routes).flatMap((route) => Object.entries(route));
  return startEdgeInProcess(owner, {
    upstreams: Object.fromEntries(upstreams.map(([name, { url }]) => [name, { urls: [url], ...settings }])),
    routes: Object.entries(routes).map(([prefix, route]) => ({
      prefix,
      pull: Object.keys(route).map((upstream) => ({ upstream })),
    })),
    ...config,
  });
}
