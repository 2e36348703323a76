import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseRange } from '../oci/range.ts';
import type { Bytes } from './bytes.ts';
import { LabError } from './error.ts';
import type { Exchange } from './exchange.ts';
import type { FaultParameters } from './fault.ts';

/** Milliseconds between the last byte of a body that is cut and the cut. */
const GRACE_MS = 20;

/** GET and HEAD of a blob: whole, or one range of it, with whatever is done to its bytes by a fault. */
export async function serveBlob(exchange: Exchange, digest: string, stored: Bytes): Promise<void> {
  const { req, res } = exchange;
  const etag = `"${digest}"`;
  const bytes = lengthened(exchange, stored);
  const headers = { 'docker-content-digest': digest, etag, 'accept-ranges': 'bytes' };
  if (req.headers['if-none-match'] === etag) return exchange.reply(304, headers);
  const span = req.method === 'GET' ? readSpan(req.headers.range, bytes.length) : undefined;
  const { first, end } = span ?? { first: 0, end: bytes.length };
  res.writeHead(span ? 206 : 200, {
    ...headers,
    'content-type': 'application/octet-stream',
    'content-length': end - first,
    ...(span ? { 'content-range': `bytes ${first}-${end - 1}/${bytes.length}` } : {}),
  });
  if (req.method === 'HEAD') return void res.end();
  await send(exchange, corrupted(exchange, bytes, first, end), first, end);
}

/** @throws LabError 416 */
function readSpan(header: string | undefined, total: number): { first: number; end: number } | undefined {
  const range = parseRange(header);
  if (range === undefined) return undefined;
  const wrong = new LabError(416, 'RANGE_INVALID', 'invalid range', { 'content-range': `bytes */${total}` });
  if (range === 'invalid') throw wrong;
  const first = range.first ?? Math.max(0, total - (range.last ?? 0));
  // A last byte beyond the end is clamped, as distribution does (RFC 9110 section 14.1.2).
  const end = range.first === undefined ? total : Math.min(total, (range.last ?? total) + 1);
  if (first >= end) throw wrong;
  return { first, end };
}

function lengthened(exchange: Exchange, bytes: Bytes): Bytes {
  const fault = exchange.takeFault('wrongLength');
  return fault ? bytes.resized(Math.max(0, bytes.length + (fault.parameters.bytes ?? -1))) : bytes;
}

function corrupted(exchange: Exchange, bytes: Bytes, first: number, end: number): Bytes {
  const middle = Math.floor(bytes.length / 2);
  const within = (at: number) => at >= first && at < end;
  const fault = exchange.takeFault('corrupt', (parameters) => within(parameters.bytes ?? middle));
  return fault ? bytes.flipped(fault.parameters.bytes ?? middle) : bytes;
}

interface Stop {
  /** Bytes of the body that are sent before it. */
  after: number;
  how: 'cut' | 'short' | 'stall';
}

function stopOf(exchange: Exchange, length: number): Stop | undefined {
  for (const how of ['cut', 'short', 'stall'] as const) {
    // A fraction of a very small body is nothing: the one byte that a probe reads stays whole unless `bytes` asks for it.
    const after = ({ bytes, fraction = 0.5 }: FaultParameters) => bytes ?? (Math.floor(length * fraction) || length);
    const fault = exchange.takeFault(how, (parameters) => after(parameters) < length);
    if (fault) return { how, after: after(fault.parameters) };
  }
  return undefined;
}

async function send(exchange: Exchange, bytes: Bytes, first: number, end: number): Promise<void> {
  const { res } = exchange;
  const stop = stopOf(exchange, end - first);
  const rate = exchange.takeFault('slow')?.parameters;
  const perSecond = rate && (rate.bytesPerSecond ?? 4_000_000);
  // Twenty slices a second, or single bytes.
  const slice = perSecond ? Math.max(1, Math.min(65_536, Math.floor(perSecond / 20))) : undefined;
  const reach = stop ? first + stop.after : end;
  res.flushHeaders();
  for (const part of bytes.slices(first, reach, slice)) {
    if (perSecond) await Promise.race([sleep((part.length / perSecond) * 1000), exchange.closed]);
    await exchange.pause();
    if (exchange.gone) return;
    await write(exchange, part, stop !== undefined);
  }
  if (!stop) return void res.end();
  await halt(exchange, stop, bytes, reach, end);
}

/** Waits for room, or, with `through`, until the bytes were handed to the kernel: a reset discards what was not. */
async function write({ res, closed }: Exchange, part: Buffer, through: boolean): Promise<void> {
  if (through) return Promise.race([new Promise<void>((resolve) => res.write(part, () => resolve())), closed]);
  if (!res.write(part)) await Promise.race([once(res, 'drain'), closed]);
}

async function halt(exchange: Exchange, stop: Stop, bytes: Bytes, reach: number, end: number): Promise<void> {
  const { res } = exchange;
  const { socket } = res;
  if (!socket || exchange.gone) return;
  if (stop.how === 'stall') {
    await exchange.faults.whileOn('stall', exchange.closed);
    for (const part of bytes.slices(reach, end)) {
      if (exchange.gone) return;
      await write(exchange, part, false);
    }
    return void res.end();
  }
  // A reset discards what is still on its way, headers included.
  await Promise.race([sleep(GRACE_MS), exchange.closed]);
  if (stop.how === 'cut' && !('encrypted' in socket)) socket.resetAndDestroy();
  else if (stop.how === 'cut') socket.destroy();
  else socket.destroySoon();
}
