import { HeaderList } from '../header-list.ts';
import { UpstreamError } from '../upstream-error.ts';

/** Status line and header fields of an answer, and how the bytes after them are framed. */
export interface ResponseHead {
  status: number;
  headers: HeaderList;
  /** Bytes of the body; undefined when the body does not end by Content-Length. */
  length: number | undefined;
  /** Whether the connection may be used again. */
  persistent: boolean;
  /** Milliseconds for which the upstream promises to keep the connection. */
  keepAliveMs: number | undefined;
}

const MAX_FIELDS = 256;
const STATUS_LINE = /^HTTP\/1\.(\d) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const NAME = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^\d{1,15}$/;

/**
 * Parses the head of an answer to GET (RFC 9112) strictly: a head that could be understood in two ways is refused.
 * @param text latin1, without the empty line at its end
 * @throws UpstreamError malformed
 */
export function parseResponseHead(text: string): ResponseHead {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const match = STATUS_LINE.exec(statusLine);
  if (!match) throw malformed('the status line');
  if (lines.length > MAX_FIELDS) throw malformed(`more than ${MAX_FIELDS} fields`);
  const status = Number(match[2]);
  const { fields, length } = readFields(lines);
  const headers = new HeaderList(fields);
  const encoded = headers.get('transfer-encoding') !== undefined;
  // Both at once, or an encoding in HTTP/1.0, allow response splitting (RFC 9112 section 6.3).
  if (encoded && length !== undefined) throw malformed('both Content-Length and Transfer-Encoding');
  if (encoded && match[1] === '0') throw malformed('Transfer-Encoding in HTTP/1.0');
  return {
    status,
    headers,
    // RFC 9112 section 6.3: these have no body. Their Content-Length tells the length of another answer.
    length: status === 204 || status === 304 ? 0 : length,
    persistent: match[1] !== '0' && !hasOption(headers.joined('connection'), 'close'),
    keepAliveMs: keepAlive(headers.joined('keep-alive')),
  };
}

function readFields(lines: readonly string[]): { fields: [string, string][]; length: number | undefined } {
  const fields: [string, string][] = [];
  let announced: string | undefined;
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0));
    const value = trimSpace(line, colon + 1);
    if (!NAME.test(name) || !VALUE.test(value)) throw malformed('a header field');
    if (name.toLowerCase() === 'content-length') {
      if (!LENGTH.test(value)) throw malformed('Content-Length');
      if (announced !== undefined && announced !== value) throw malformed('two different Content-Lengths');
      // Equal repeated values count as one (RFC 9110 section 8.6), and only one is passed on.
      if (announced !== undefined) continue;
      announced = value;
    }
    fields.push([name, value]);
  }
  return { fields, length: announced === undefined ? undefined : Number(announced) };
}

/** A regular expression would retry each of many spaces, and `trim` removes bytes that belong to the value. */
function trimSpace(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isSpace(line, start)) start += 1;
  while (end > start && isSpace(line, end - 1)) end -= 1;
  return line.slice(start, end);
}

function isSpace(line: string, at: number): boolean {
  return line[at] === ' ' || line[at] === '\t';
}

function hasOption(list: string | undefined, option: string): boolean {
  return list?.split(',').some((one) => one.trim().toLowerCase() === option) ?? false;
}

function keepAlive(value: string | undefined): number | undefined {
  const seconds = /(?:^|[,\s])timeout\s*=\s*(\d{1,6})(?:$|[,\s])/i.exec(value ?? '')?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

function malformed(what: string): UpstreamError {
  return new UpstreamError('malformed', `the answer is malformed: ${what}`);
}
