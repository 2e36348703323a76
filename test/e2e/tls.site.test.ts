import { once } from 'node:events';
import http2 from 'node:http2';
import tls from 'node:tls';
import t from 'tap';
import { Crane } from '../helpers/crane.ts';
import { SITE_TOOLS, startSite } from '../helpers/site.ts';
import { missing } from '../helpers/tool.ts';

t.test('TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2 on one port', { skip: missing(...SITE_TOOLS, 'crane') }, async (t) => {
  const site = await startSite(t);
  const image = await site.seed('app:v1');
  const { certificate, address } = site.edge;
  const port = Number(address.split(':')[1]);

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const protocol of ['http/1.1', 'h2']) {
      const options = { host: '127.0.0.1', port, servername: 'localhost', ca: certificate.authority };
      const socket = tls.connect({ ...options, minVersion: version, maxVersion: version, ALPNProtocols: [protocol] });
      await once(socket, 'secureConnect');
      t.equal(socket.getProtocol(), version, `${version} is spoken`);
      t.equal(socket.alpnProtocol, protocol, `${protocol} is agreed on`);
      t.ok(socket.authorized, 'with a certificate that verifies');
      socket.destroy();
    }
  }

  const old = tls.connect({
    ...{ host: '127.0.0.1', port, servername: 'localhost', ca: certificate.authority },
    ...{ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
  });
  const [error] = await once(old, 'error');
  t.ok(error, 'TLS 1.1 is refused');

  const session = http2.connect(site.edge.url, { ca: certificate.authority });
  t.teardown(() => session.destroy());
  const stream = session.request({ ':path': '/v2/library/app/manifests/v1', accept: image.mediaType });
  const [headers] = await once(stream, 'response');
  t.equal(headers[':status'], 200, 'HTTP/2 serves a manifest');
  t.equal(headers['docker-content-digest'], image.digest);
  stream.close();

  const before = site.edge.log().length;
  const crane = new Crane(t, certificate.authorityFolder);
  t.equal(await crane.pull(`${site.image('app')}:v1`), image.digest, 'crane pulls');
  const protocols = [
    ...site.edge
      .log()
      .slice(before)
      .matchAll(/"protocol":"([^"]+)"/g),
  ].map((match) => match[1]);
  t.strictSame([...new Set(protocols)], ['HTTP/2.0'], 'over HTTP/2 alone');
});
