// Requests that two servers in a row may understand in two ways, and what would be smuggled in them.

const second = 'GET /smuggled HTTP/1.1\r\nHost: edge.test\r\n\r\n';
const head = 'POST /v2/ HTTP/1.1\r\nHost: edge.test\r\n';

/** What every listener answers with 400 and the end of the connection, by what is wrong with it. */
export const SMUGGLING: Record<string, string> = {
  'CL.TE': `${head}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
  'TE.CL': `${head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${second}`,
  'two lengths': `${head}Content-Length: 0\r\nContent-Length: 5\r\n\r\n${second}`,
  'two equal lengths': `${head}Content-Length: 0\r\nContent-Length: 0\r\n\r\n${second}`,
  'a list of lengths': `${head}Content-Length: 0, 0\r\n\r\n${second}`,
  'a signed length': `${head}Content-Length: +0\r\n\r\n${second}`,
  'a hexadecimal length': `${head}Content-Length: 0x0\r\n\r\n${second}`,
  'an unknown coding': `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${second}`,
  'a list of codings': `${head}Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n${second}`,
  'chunked not last': `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${second}`,
  'chunked twice': `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
  'a space before the colon': `${head}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${second}`,
  'a folded header': `${head}X: y\r\n Transfer-Encoding: chunked\r\n\r\n${second}`,
  'a vertical tab': `${head}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n${second}`,
  'NUL in a value': `${head}X: a\0b\r\n\r\n${second}`,
  'a bare line feed': `${head}X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
  'a bare carriage return': `${head}X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
  'chunked in HTTP/1.0': `POST /v2/ HTTP/1.0\r\nHost: edge.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
  'two hosts': `GET /v2/ HTTP/1.1\r\nHost: edge.test\r\nHost: other.test\r\n\r\n${second}`,
  'no host': `GET /v2/ HTTP/1.1\r\n\r\n${second}`,
  'no version': `GET /v2/\r\n\r\n${second}`,
  'a version from the future': `GET /v2/ HTTP/3.0\r\nHost: edge.test\r\n\r\n${second}`,
  'HTTP/2.0 in a request line': `GET /v2/ HTTP/2.0\r\nHost: edge.test\r\n\r\n${second}`,
  'CL.TE as HTTP/2.0': `POST /v2/ HTTP/2.0\r\nHost: edge.test\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
  'two hosts as HTTP/2.0': `GET /v2/ HTTP/2.0\r\nHost: edge.test\r\nHost: other.test\r\n\r\n${second}`,
  'HTTP/0.9 in a request line': `GET /v2/ HTTP/0.9\r\nHost: edge.test\r\n\r\n${second}`,
  'a space in the target': `GET /v2/ x HTTP/1.1\r\nHost: edge.test\r\n\r\n${second}`,
  'an unknown method': `BREW /v2/ HTTP/1.1\r\nHost: edge.test\r\n\r\n${second}`,
  'no HTTP at all': `\x16\x03\x01 hello\r\n\r\n`,
  'chunked twice in one line': `${head}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n${second}`,
  'two equal hosts': `GET /v2/ HTTP/1.1\r\nHost: edge.test\r\nHost: edge.test\r\n\r\n${second}`,
  'a host and none': `GET /v2/ HTTP/1.1\r\nHost: edge.test\r\nHost:\r\n\r\n${second}`,
  'another host in the target': `GET http://other.test/v2/ HTTP/1.1\r\nHost: edge.test\r\n\r\n${second}`,
  'a user in the target': `GET http://x@edge.test/v2/ HTTP/1.1\r\nHost: edge.test\r\n\r\n${second}`,
};
