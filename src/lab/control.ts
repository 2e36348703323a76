import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FAULT_NAMES, FAULTS, type FaultName, faultNamed } from './fault.ts';
import type { LabRegistry } from './registry.ts';
import type { ActiveFault } from './switches.ts';

export interface LabControlOptions {
  /** Default 0: any. */
  port?: number;
  registries: Record<string, LabRegistry>;
  /** Told of every switch that was thrown. */
  onSwitch?: (registry: string, fault: FaultName | undefined, on: boolean) => void;
}

const MAX_BODY = 65_536;
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

class ControlError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The fault switches over HTTP, on 127.0.0.1 only. */
export interface LabControl {
  port: number;
  url: string;
  close(): Promise<void>;
}

/** Starts the control; it listens once this resolves. */
export async function startLabControl(options: LabControlOptions): Promise<LabControl> {
  const server = createServer((req, res) => void answer(req, res, options));
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  };
  return { port, url: `http://127.0.0.1:${port}`, close };
}

async function answer(req: IncomingMessage, res: ServerResponse, options: LabControlOptions): Promise<void> {
  try {
    reply(res, 200, await act(req, options));
  } catch (error) {
    if (error instanceof ControlError) return reply(res, error.status, { error: error.message });
    if (error instanceof RangeError) return reply(res, 400, { error: error.message });
    reply(res, 500, { error: String(error) });
  }
}

async function act(req: IncomingMessage, { registries, onSwitch }: LabControlOptions): Promise<unknown> {
  guard(req);
  const { method } = req;
  const [name = '', text = '', ...more] = (req.url ?? '').split('?')[0]?.slice(1).split('/') ?? [];
  if (name === '') {
    if (method !== 'GET') throw new ControlError(405, 'GET / lists; POST or DELETE /{registry}/{fault} switches');
    return list(registries);
  }
  const registry = Object.hasOwn(registries, name) ? registries[name] : undefined;
  if (!registry) throw new ControlError(404, `no registry ${name}; there are ${Object.keys(registries).join(', ')}`);
  if (more.length > 0) throw new ControlError(404, 'a path is /{registry}/{fault}');
  const fault = faultNamed(text);
  if (text !== '' && !fault) throw new ControlError(404, `no fault ${text}; there are ${FAULT_NAMES.join(', ')}`);
  if (fault && method === 'POST') await registry.faults.on(fault, (await readJson(req)) as object);
  else if (method === 'DELETE') await registry.faults.off(fault);
  else if (fault) throw new ControlError(405, 'POST switches on, DELETE off');
  else if (method !== 'GET') throw new ControlError(405, 'GET shows, DELETE switches everything off');
  if (method !== 'GET') onSwitch?.(name, fault, method === 'POST');
  return describe(registry);
}

function list(registries: LabControlOptions['registries']): unknown {
  const described = Object.entries(registries).map(([name, registry]) => [name, describe(registry)]);
  const faults = Object.entries(FAULTS).map(([name, { says, takes }]) => [
    name,
    { says, takes: Object.keys(takes.shape) },
  ]);
  return { registries: Object.fromEntries(described), faults: Object.fromEntries(faults) };
}

/** A page in the user's browser must not be able to throw switches, be it by name rebinding or by a cross-site POST. */
function guard(req: IncomingMessage): void {
  if (!LOOPBACK.test(req.headers.host ?? '')) throw new ControlError(403, 'only under localhost, 127.0.0.1 or [::1]');
  if (req.headers.origin !== undefined) throw new ControlError(403, 'not from a browser');
}

function describe(registry: LabRegistry): unknown {
  const { url, writes, requests, store } = registry;
  const faults = Object.fromEntries(registry.faults.active.map((fault) => [fault.name, shown(fault)]));
  return { url, writes, requests: requests.length, usedBytes: store.usedBytes, faults };
}

function shown({ parameters, hits }: ActiveFault): unknown {
  return { ...parameters, ...(parameters.path ? { path: parameters.path.source } : {}), hits };
}

async function readJson(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req) {
    length += (chunk as Buffer).length;
    if (length > MAX_BODY) throw new ControlError(413, `at most ${MAX_BODY} bytes`);
    chunks.push(chunk as Buffer);
  }
  const text = Buffer.concat(chunks).toString('utf8').trim();
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ControlError(400, `the body is not JSON: ${String(error)}`);
  }
}

function reply(res: ServerResponse, status: number, value: unknown): void {
  if (res.destroyed) return;
  const body = `${JSON.stringify(value, undefined, 2)}\n`;
  const unread = res.req.complete ? {} : { connection: 'close' };
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...unread });
  res.end(body);
}
