import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { writeAuthority } from '../../../src/cli/cert/ca.ts';
import { diagnosisText, examine } from '../../../src/cli/cert/doctor.ts';
import { writeLeaf } from '../../../src/cli/cert/leaf.ts';
import { certificatesAt } from '../../../src/cli/cert/show.ts';
import { readPlace } from '../../../src/cli/cert/tls-probe.ts';
import { tryCommand } from '../../helpers/command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const launcher = join(import.meta.dirname, '../../../bin/breakwater');

t.test('what a server sends is shown', async (t) => {
  const folder = temporaryFolder(t);
  const now = Date.now();
  await writeAuthority({ days: 100, output: folder }, now);
  await writeLeaf(['localhost', '127.0.0.1'], { ca: folder, output: folder, days: 50, before: 30 }, now);
  const file = (name: string) => readFileSync(join(folder, name), 'utf8');
  const server = https.createServer({ cert: file('tls.crt'), key: file('tls.key') }, (_request, response) =>
    response.end(),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { status, stdout } = await tryCommand(launcher, ['cert', 'show', place, '--json']);
  t.equal(status, 0);
  t.strictSame(
    JSON.parse(stdout).map(({ names, ca }: { names: string[]; ca: boolean }) => [names, ca]),
    [
      [['localhost', '127.0.0.1'], false],
      [[], true],
    ],
  );
  t.equal((await certificatesAt(folder)).length, 1, 'the CA of a folder');
  t.equal((await certificatesAt(join(folder, 'tls.crt'))).length, 2);
  t.match(await certificatesAt('127.0.0.1:1'), /^127\.0\.0\.1:1 sent no certificate: .*ECONNREFUSED/);
  await t.rejects(certificatesAt('./none.crt'), { name: 'UsageError', message: './none.crt does not exist' });
  t.equal(diagnosisText(place, []), `${place}: clients that trust this CA accept the certificate\n`);
  const found = await examine(readPlace(place), { ca: folder, name: 'a.test' });
  t.match(diagnosisText(place, found), /^error: .*\n {2}-> use one of these names/);
});

t.test('places that are none', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'x.crt');
  writeFileSync(file, 'nothing');
  await t.rejects(certificatesAt(file), { name: 'UsageError', message: /x\.crt: it holds no certificate in PEM form/ });
  t.strictSame(readPlace('cr.test'), { host: 'cr.test', port: 443 });
  t.strictSame(readPlace('https://cr.test:8443/v2/'), { host: 'cr.test', port: 8443 });
  t.strictSame(readPlace('[::1]:5000'), { host: '::1', port: 5000 });
  t.strictSame(readPlace('::1'), { host: '::1', port: 443 });
  for (const wrong of ['', 'a b', 'cr.test:0', 'cr.test:99999', 'http://cr.test'])
    t.throws(() => readPlace(wrong), { name: 'UsageError' }, wrong);
});
