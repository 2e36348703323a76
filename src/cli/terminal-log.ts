import { pino } from 'pino';
import type { RequestRecord } from '../proxy/record.ts';

/** A log of the edge whose entries come out as one line each, for a person who watches. */
export function terminalLog(print: (line: string) => void, level = 'info'): pino.Logger {
  const write = (text: string) => {
    const line = lineOf(JSON.parse(text));
    if (line !== undefined) print(line);
  };
  return pino({ level, base: null }, { write });
}

/** Fields of entries other than requests that a person wants to see, with their names. */
const NAMED = ['https', 'http', 'admin', 'signal', 'why', 'key', 'message', 'remedy'];

type Entry = { msg?: string; request?: RequestRecord; level?: number; time?: number } & Record<string, unknown>;

/** `undefined`: not worth a line, as a ping that was answered. */
export function lineOf({ msg, request, level: _, time, ...rest }: Entry): string | undefined {
  const clock = new Date(time ?? Date.now()).toTimeString().slice(0, 8);
  if (request) {
    const text = requestText(request);
    return text && `${clock}  ${text}`;
  }
  const { upstream, reason, err, class: trafficClass, detail } = rest;
  const error = err instanceof Object && 'message' in err && err.message;
  const named = NAMED.flatMap((name) => (rest[name] === undefined ? [] : `${name} ${rest[name]}`));
  const why = [trafficClass, reason, detail, error, ...named].filter(Boolean);
  return `${clock}  ${[upstream, msg].filter(Boolean).join(': ')}${why.length > 0 ? ` - ${why.join(', ')}` : ''}`;
}

function requestText(request: RequestRecord): string | undefined {
  const { kind, outcome, repository, reference, upstream, status, totalMs, detail } = request;
  if (kind === 'ping' && outcome === 'served') return undefined;
  const name = repository === undefined ? '' : `${repository}${reference === undefined ? '' : separated(reference)}`;
  const by = upstream === undefined ? '' : outcome === 'fallback' ? `from ${upstream} (fallback)` : `from ${upstream}`;
  const why = outcome === 'served' || detail === undefined ? '' : `- ${detail}`;
  return [request.method.padEnd(5), kind.padEnd(8), name, status, by, `${totalMs} ms`, why].filter(Boolean).join(' ');
}

function separated(reference: string): string {
  const [algorithm, hash] = reference.split(':');
  return hash === undefined ? `:${reference}` : `@${algorithm}:${hash.slice(0, 12)}`;
}
