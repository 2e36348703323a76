import t, { type Test } from 'tap';
import { madeUp } from '../../../src/lab/seed.ts';
import type { EdgeInProcess } from '../../helpers/edge-in-process.ts';
import { received2 } from '../../helpers/http2-client.ts';
import { clientRequests, codeOf, INNER, MANIFEST_TYPE, startLabSite } from '../../helpers/lab-site.ts';
import { RawConnection } from '../../helpers/raw-connection.ts';

const UPLOADS = '/v2/team/new/blobs/uploads/';
const MIB = 1024 * 1024;

t.test('bodies of known and of unknown length arrive as they were sent', async (t) => {
  const site = await startLabSite(t);
  const bytes = madeUp(300_000, 9);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    for (const chunked of [false, true]) {
      const begun = await client.ask(UPLOADS, { method: 'POST' });
      site.primary.forget();
      const headers: Record<string, string> = { 'content-type': 'application/octet-stream' };
      if (chunked && client.version === 'HTTP/1.1') headers['transfer-encoding'] = 'chunked';
      if (!chunked) headers['content-length'] = String(bytes.length);
      const location = String(begun.headers.location);
      const patched =
        chunked && client.version === 'HTTP/1.1'
          ? await chunkedPatch(t, site.edge, location, bytes)
          : await client.ask(location, { method: 'PATCH', body: bytes, headers });
      t.match(patched, { status: 202, headers: { range: '0-299999' } }, `${client.version}, chunked: ${chunked}`);
      const seen = clientRequests(site.primary).find(({ method }) => method === 'PATCH')?.headers;
      t.equal(seen?.['content-length'], chunked ? undefined : '300000', 'Content-Length');
      t.equal(seen?.['transfer-encoding'], chunked ? 'chunked' : undefined, 'Transfer-Encoding');
      t.equal(seen?.expect, undefined);
    }
  }
});

async function chunkedPatch(t: Test, edge: EdgeInProcess, path: string, bytes: Buffer) {
  const raw = await RawConnection.connect(t, edge.http1().target);
  raw.send(`PATCH ${path} HTTP/1.1\r\nHost: edge.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`);
  for (let at = 0; at < bytes.length; at += 100_000) {
    raw.send(`${(100_000).toString(16)};extension=1\r\n`);
    raw.send(bytes.subarray(at, at + 100_000));
    raw.send('\r\n');
  }
  raw.send('0\r\n\r\n');
  await raw.closed();
  const [, status, range] = /^HTTP\/1\.1 (\d+)[\s\S]*\r\nrange: ([^\r]+)/i.exec(raw.text) ?? [];
  return { status: Number(status), headers: { range } };
}

t.test('a manifest over the limit', async (t) => {
  const site = await startLabSite(t);
  const headers = { 'content-type': MANIFEST_TYPE };
  const path = '/v2/team/new/manifests/1';
  const big = Buffer.alloc(4 * MIB + 1, 0x20);
  for (const client of [site.edge.http1(), site.edge.http2()]) {
    site.primary.forget();
    const known = await client.ask(path, {
      method: 'PUT',
      headers: { ...headers, 'content-length': String(big.length) },
      body: big,
    });
    t.match({ status: known.status, code: codeOf(known) }, { status: 413, code: 'SIZE_INVALID' }, client.version);
    t.equal(clientRequests(site.primary).length, 0, 'what says so itself reaches no upstream');
  }
  const chunked = await RawConnection.connect(t, site.edge.http1().target);
  chunked.send(
    `PUT ${path} HTTP/1.1\r\nHost: edge.test\r\nTransfer-Encoding: chunked\r\nContent-Type: ${MANIFEST_TYPE}\r\n\r\n`,
  );
  chunked.send(`${big.length.toString(16)}\r\n`);
  chunked.send(big);
  chunked.send('\r\n0\r\n\r\n');
  await chunked.heard(/^HTTP\/1\.1 413 [\s\S]*SIZE_INVALID/);
  const stream = site.edge.http2().open(path, { method: 'PUT', headers }, false);
  const reply = received2(stream);
  stream.end(big);
  t.match(await reply, { status: 413, complete: true }, 'HTTP/2 of unknown length');
  const continued = await RawConnection.connect(t, site.edge.http1().target);
  continued.send(
    `PUT ${path} HTTP/1.1\r\nHost: edge.test\r\nContent-Length: ${big.length}\r\nExpect: 100-continue\r\n\r\n`,
  );
  await continued.closed();
  t.match(continued.text, /^HTTP\/1\.1 413 /, 'and the client is not asked to send it');
  t.equal(site.primary.store.manifest(`${INNER}team/new`, '1'), undefined);
  const most = Buffer.concat([Buffer.from('{"schemaVersion":2}'), Buffer.alloc(4 * MIB - 19, 0x20)]);
  const taken = await site.edge.http1().ask(path, { method: 'PUT', headers, body: most });
  t.equal(taken.status, 201, 'one of just 4 MiB is taken');
});
