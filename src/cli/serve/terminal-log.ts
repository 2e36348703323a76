import { pino } from 'pino';
import type { RequestRecord, SpliceRecord } from '../../proxy/request-record.ts';
import { bytesText, withShortDigests } from '../text-format.ts';

/** A log that prints each entry as one readable line. */
export function terminalLog(print: (line: string) => void, level = 'info'): pino.Logger {
  const write = (text: string) => {
    const line = lineOf(JSON.parse(text));
    if (line !== undefined) print(line);
  };
  return pino({ level, base: null }, { write });
}

/** Fields that are printed with their names, of entries that are not requests. */
const NAMED = ['https', 'http', 'admin', 'signal', 'why', 'key', 'message', 'remedy'];

/** A request as logged: fields about events that did not happen are left out. */
type LoggedRequest = Omit<RequestRecord, 'attempts' | 'hedges' | 'splices'> & Partial<Pick<RequestRecord, 'splices'>>;
type TagNote = NonNullable<RequestRecord['tag']>;
/** An entry of the log. */
export type Entry = { msg?: string; request?: LoggedRequest; level?: number; time?: number } & Record<string, unknown>;

/** The line of an entry; undefined for a ping that was served. */
export function lineOf({ msg, request, level: _, time, ...rest }: Entry): string | undefined {
  const clock = new Date(time ?? Date.now()).toTimeString().slice(0, 8);
  if (request) {
    const text = requestText(request);
    return text && `${clock}  ${text}`;
  }
  const { upstream, reason, err, class: trafficClass, detail, digest } = rest;
  const short = typeof digest === 'string' ? withShortDigests(digest) : undefined;
  const error = err instanceof Object && 'message' in err && err.message;
  const named = NAMED.flatMap((name) => (rest[name] === undefined ? [] : `${name} ${rest[name]}`));
  const why = [trafficClass, short, reason, detail, error, ...named].filter(Boolean);
  return `${clock}  ${[upstream, msg].filter(Boolean).join(': ')}${why.length > 0 ? ` - ${why.join(', ')}` : ''}`;
}

function requestText(request: LoggedRequest): string | undefined {
  const { kind, outcome, repository, reference, status, totalMs } = request;
  if (kind === 'ping' && outcome === 'served') return undefined;
  const name = repository === undefined ? '' : `${repository}${reference === undefined ? '' : separated(reference)}`;
  const why = whyText(request);
  return [
    request.method.padEnd(5),
    kind.padEnd(8),
    name,
    status,
    fromText(request),
    `${totalMs} ms`,
    why === '' ? '' : `- ${why}`,
  ]
    .filter(Boolean)
    .join(' ');
}

function fromText({ upstream, outcome, memory }: LoggedRequest): string {
  if (upstream === undefined) return '';
  const how = [outcome === 'fallback' ? 'fallback' : '', memory ? 'from memory' : ''].filter(Boolean);
  return `from ${upstream}${how.length > 0 ? ` (${how.join(', ')})` : ''}`;
}

/** What went wrong, and how Breakwater handled it. */
function whyText({ outcome, detail, splices = [], tag, verified }: LoggedRequest): string {
  // The text of the last splice says why a reply was cut.
  const explained = outcome === 'served' || (outcome === 'cut' && splices.length > 0 && verified !== 'wrong');
  const words = [
    ...(explained || detail === undefined ? [] : [detail]),
    ...splices.map(spliceText),
    ...(verified === 'wrong' ? ['its bytes are corrupt, so its end was not sent'] : []),
    ...(tag === undefined ? [] : tagText(tag)),
  ];
  return withShortDigests(words.join('; '));
}

function spliceText({ from, to, reason, at, ms }: SpliceRecord): string {
  const what = `${from} broke off near ${bytesText(at)} (${reason})`;
  return to === undefined ? `${what}, no upstream could resume it` : `${what}, resumed on ${to} ${ms} ms later`;
}

function tagText({ action, text }: TagNote): string[] {
  if (action === 'replaced') return ['it had an older digest, so the current one was fetched'];
  // The detail of the request says why a tag was refused.
  return action === 'warned' && text !== undefined ? [`WARNED: ${text}`] : [];
}

function separated(reference: string): string {
  const [algorithm, hash] = reference.split(':');
  return hash === undefined ? `:${reference}` : `@${algorithm}:${hash.slice(0, 12)}`;
}
