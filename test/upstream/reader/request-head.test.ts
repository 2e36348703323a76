import t from 'tap';
import { requestHead } from '../../../src/upstream/reader/request-head.ts';

t.test('what is sent', async (t) => {
  t.equal(
    requestHead('harbor.lan:8443', '/v2/a/blobs/sha256:1?x=%20y', { range: 'bytes=0-9', authorization: 'Basic abc==' }),
    'GET /v2/a/blobs/sha256:1?x=%20y HTTP/1.1\r\nhost: harbor.lan:8443\r\nconnection: keep-alive\r\n' +
      'range: bytes=0-9\r\nauthorization: Basic abc==\r\n\r\n',
  );
});

t.test('nothing that would be read as more than one request', async (t) => {
  const paths = ['', 'v2', '/v2 HTTP/1.1', '/a\r\nb', '/a\nb', '/a\0', '/\u00e9', '/\u010d', '*', 'http://a/'];
  for (const path of paths) t.throws(() => requestHead('a', path, {}), TypeError, JSON.stringify(path));
  const headers: Record<string, string>[] = [
    { x: 'a\r\nb: c' },
    { x: 'a\nb' },
    { x: 'a\0' },
    { x: '\u010d' },
    { 'x y': 'a' },
    { 'x:': 'a' },
    { '': 'a' },
    { Host: 'b' },
    { Connection: 'close' },
    { 'Transfer-Encoding': 'chunked' },
    { 'content-length': '5' },
    { upgrade: 'h2c' },
    { expect: '100-continue' },
  ];
  for (const one of headers) t.throws(() => requestHead('a', '/', one), TypeError, JSON.stringify(one));
});
