const PATH = /^\/[\x21-\x7e]*$/;
const NAME = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Headers that the reader sets itself, or that would change how bytes are framed. */
const RESERVED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * The head of a GET request, in latin1.
 * @param host value of the Host header, with the port unless it is the scheme's default
 * @throws TypeError for a path or a header that cannot be sent safely; a mistake of the caller
 */
export function requestHead(host: string, path: string, headers: Readonly<Record<string, string>>): string {
  if (!PATH.test(path)) throw new TypeError('the path of a request is malformed');
  let text = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    if (!NAME.test(name) || RESERVED.has(name.toLowerCase())) throw new TypeError(`no header to send: ${name}`);
    if (!VALUE.test(value)) throw new TypeError(`the value of the header ${name} is malformed`);
    text += `${name}: ${value}\r\n`;
  }
  return `${text}\r\n`;
}
