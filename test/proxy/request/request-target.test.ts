import t from 'tap';
import { clientRequests, INNER, startLabSite } from '../../helpers/lab-site.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';

const MANIFEST = '/v2/library/app/manifests/1';
const CANONICAL = `/v2/${INNER}library/app/manifests/1`;

t.test('a target in absolute form, as clients send it to proxies', async (t) => {
  const site = await startLabSite(t);
  const { target } = site.edge.http1();
  const rows: [sent: string, asked: string | undefined][] = [
    [`https://edge.test${MANIFEST}`, CANONICAL],
    [`HTTP://EDGE.test${MANIFEST}`, CANONICAL],
    ['https://edge.test', undefined],
    ['https://edge.test?x', undefined],
  ];
  for (const [sent, asked] of rows) {
    site.primary.forget();
    const raw = await RawConnection.connect(t, target);
    raw.send(`GET ${sent} HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n`);
    await raw.closed();
    t.match(raw.text, asked ? /^HTTP\/1\.1 200 / : /^HTTP\/1\.1 404 /, sent);
    // Without Accept, the edge looks at the tag itself, too.
    const urls = new Set(clientRequests(site.primary).map(({ url }) => url));
    t.strictSame([...urls], asked ? [asked] : []);
  }
});

t.test('encoded slashes and colons: upstreams, the log and the cache see one name', async (t) => {
  const site = await startLabSite(t);
  const digest = site.image.digest.replace(':', '%3A');
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    for (const path of ['/v2/library%2Fapp/manifests/1', '/v2/library%2fapp%2Fmanifests/1']) {
      site.primary.forget();
      site.edge.forgetLog();
      t.match(await client.ask(path), { status: 200 }, path);
      const urls = new Set(clientRequests(site.primary).map(({ url }) => url));
      t.strictSame([...urls], [CANONICAL]);
      t.match(await site.edge.line(({ kind }) => kind === 'manifest'), { repository: 'library/app', reference: '1' });
    }
    await client.ask(`/v2/library/app/manifests/${site.image.digest}`);
    site.primary.forget();
    t.match(await client.ask(`/v2/library%2Fapp/manifests/${digest}`), { status: 200 });
    t.strictSame(clientRequests(site.primary), [], 'the manifest is in memory under its one name');
  }
});
