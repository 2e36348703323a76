import t from 'tap';
import { command } from '../helpers/command.ts';
import { partsOf } from '../helpers/multipart.ts';
import { pull } from '../helpers/pull.ts';
import { CLIENT_TOOLS, startSite } from '../helpers/site.ts';
import { missing, tool } from '../helpers/tool.ts';

t.test(
  'real clients pull from the primary, and from the fallback without it',
  { skip: missing(...CLIENT_TOOLS, 'curl') },
  async (t) => {
    // On a busy machine an answer may be late, and a hedge would ask the fallback.
    const site = await startSite(t, {}, async () => ({ hedge: { share: 0 } }));
    const image = await site.seed('app:v1', { layers: [2_000_000, 500] });
    const clients = await site.clients();
    const raw = site.client();

    for (const client of clients) {
      const seen = site.gcr.requests().length;
      t.equal(await client.pull(`${site.image('app')}:v1`), image.digest, `${client.name}: pulls from the primary`);
      t.notOk(
        site.gcr
          .requests()
          .slice(seen)
          .some((line) => line.includes('app')),
        'and the fallback is not asked',
      );
    }
    const up = await raw.ask('/v2/library/app/manifests/v1', { headers: { accept: image.mediaType } });
    t.equal(up.headers['x-breakwater-upstream'], 'harbor');
    t.equal(up.headers.warning, undefined, 'no warning when the primary answers');
    t.equal(up.headers['docker-content-digest'], image.digest);

    await site.harbor.kill();
    for (const client of clients)
      t.equal(await client.pull(`${site.image('app')}:v1`), image.digest, `${client.name}: pulls from the fallback`);
    t.ok(
      site.gcr.requests().some((line) => line.startsWith('GET /v2/example-project/app/blobs/')),
      'under its prefix there',
    );

    const { authorityFolder } = site.edge.certificate;
    const curl = (...args: string[]) =>
      command(tool('curl'), ['-sS', '--cacert', `${authorityFolder}/ca.crt`, ...args]);
    const [blob] = image.blobs;
    const url = `${site.edge.url}/v2/library/app/blobs/${blob?.digest}`;
    const head = (await curl('-I', url)).stdout;
    t.match(head, /^HTTP\/(1\.1|2) 200/, 'curl: HEAD of a blob');
    t.match(head, /^x-breakwater-upstream: gcr\r$/im, 'curl: says who answered');
    t.match(head, /^warning: 299 - ".+"\r$/im, 'curl: warns that it is a fallback');
    t.match(head, new RegExp(`^content-length: ${blob?.size}\r$`, 'im'), 'curl: HEAD keeps the length');
    t.match(head, new RegExp(`^docker-content-digest: ${blob?.digest}\r$`, 'im'), 'curl: HEAD keeps the digest');
    const part = await raw.ask(new URL(url).pathname, { headers: { range: 'bytes=10-19' } });
    t.equal(part.status, 206, 'a range is served by the fallback');
    t.equal(part.headers['content-range'], `bytes 10-19/${blob?.size}`);
    t.equal(part.body.length, 10);
    const ends = `bytes=0-9,${Number(blob?.size) - 10}-`;
    const parts = partsOf(await raw.ask(new URL(url).pathname, { headers: { range: ends } }));
    t.match(parts, [{ first: 0, last: 9 }, { last: Number(blob?.size) - 1 }], 'and so are two');
    t.strictSame(
      parts.map(({ bytes }) => bytes.length),
      [10, 10],
    );
    const pulled = await pull(raw, 'library/app', 'v1');
    t.strictSame([...new Set(pulled.upstreams)], ['gcr'], 'manifest and blobs all came from the fallback');
  },
);

t.test('404 only where every upstream said so', { skip: missing(...CLIENT_TOOLS) }, async (t) => {
  const site = await startSite(t);
  const client = site.client();
  const absent = await client.ask('/v2/library/none/manifests/v1');
  t.equal(absent.status, 404, 'the healthy primary does not have it');
  t.match(JSON.parse(absent.body.toString()), { errors: [{ code: /^(MANIFEST_UNKNOWN|NAME_UNKNOWN)$/ }] });
  await site.harbor.kill();
  const unsure = await client.ask('/v2/library/none/manifests/v1');
  t.equal(unsure.status, 503, 'nobody can say while the primary is down');
  t.match(unsure.headers['retry-after'], /^\d+$/, 'and when to ask again is said');
  t.match(JSON.parse(unsure.body.toString()), { errors: [{ code: String, message: String }] });
});
