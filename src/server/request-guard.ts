import { type EdgeAnswer, HEADERS_TOO_LONG } from './edge-answer.ts';
import type { ClientRequest } from './exchanges.ts';

/** Headers that Node merges or drops when they repeat, while the next server may not. */
const SINGLE = new Set(['host', 'content-length', 'transfer-encoding']);

/** RFC 9113 section 6.5.2: what each field counts beside its name and value. */
const FIELD_BYTES = 32;

/**
 * Why a parsed request is refused; undefined: the request may go on.
 * @param headerBytes bound of an HTTP/2 header list; Node's parser of HTTP/1.1 has its own
 * @param ignoresUpgrade a request to change the protocol goes on in this one
 */
export function guardRequest(
  request: ClientRequest,
  headerBytes: number,
  ignoresUpgrade = false,
): EdgeAnswer | undefined {
  const isHttp2 = 'stream' in request;
  if (isHttp2 && headerListBytes(request.rawHeaders) > headerBytes) return HEADERS_TOO_LONG;
  // Node's parser of HTTP/1.1 takes request lines that end in HTTP/0.9 or HTTP/2.0 too.
  if (!isHttp2 && request.httpVersionMajor !== 1)
    return { status: 400, message: 'a request line must end in HTTP/1.0 or HTTP/1.1' };
  const repeated = repeatedHeader(request.rawHeaders);
  if (repeated !== undefined) return { status: 400, message: `more than one ${repeated} header` };
  const { headers } = request;
  if (isHttp2) return guardAuthority(headers);
  if (request.httpVersionMinor >= 1 && headers.host === undefined) {
    return { status: 400, message: 'a Host header is missing' };
  }
  if (namesOtherHost(request)) return { status: 400, message: 'the request target and Host name different hosts' };
  if (headers.upgrade !== undefined && !ignoresUpgrade)
    return { status: 400, message: 'the protocol of this connection cannot be changed' };
  return guardFraming(request);
}

/** Size of an HTTP/2 header list, as in RFC 9113 section 6.5.2. @param fields names and values in turns, without a compression */
export function headerListBytes(fields: readonly string[]): number {
  return fields.reduce((sum, text) => sum + text.length, (fields.length / 2) * FIELD_BYTES);
}

/** RFC 9113 section 8.3.1: `:authority` and Host must not name different hosts. */
function guardAuthority(headers: ClientRequest['headers']): EdgeAnswer | undefined {
  const authority = headers[':authority'];
  if (authority === undefined && headers.host === undefined) return { status: 400, message: ':authority is missing' };
  if (authority === undefined || headers.host === undefined) return undefined;
  if (String(authority).toLowerCase() === String(headers.host).toLowerCase()) return undefined;
  return { status: 400, message: ':authority and Host name different hosts' };
}

/** RFC 9112 section 3.2.2: the target counts. A proxy before this listener may have gone by Host. */
function namesOtherHost({ url = '', headers }: ClientRequest): boolean {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(url)?.[1];
  return authority !== undefined && authority.toLowerCase() !== headers.host?.toLowerCase();
}

/** RFC 9112 sections 6.1 and 6.3: ambiguous framing allows request smuggling. */
function guardFraming({ headers, httpVersionMinor }: ClientRequest): EdgeAnswer | undefined {
  const coding = headers['transfer-encoding'];
  if (coding === undefined) return undefined;
  if (headers['content-length'] !== undefined) {
    return { status: 400, message: 'both Content-Length and Transfer-Encoding' };
  }
  if (httpVersionMinor === 0) return { status: 400, message: 'Transfer-Encoding needs HTTP/1.1' };
  if (String(coding).trim().toLowerCase() !== 'chunked') {
    return { status: 400, message: 'the only Transfer-Encoding understood is chunked' };
  }
  return undefined;
}

function repeatedHeader(rawHeaders: readonly string[]): string | undefined {
  let seen: string[] | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    if (!SINGLE.has(name)) continue;
    seen ??= [];
    if (seen.includes(name)) return name;
    seen.push(name);
  }
  return undefined;
}
