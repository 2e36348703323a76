import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { readPlace } from '../../../src/cli/cert/tls-probe.ts';
import { tryCommand } from '../../helpers/command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

const launcher = join(import.meta.dirname, '../../../bin/breakwater');

t.test('from a CA to a server that shows its certificates', async (t) => {
  const folder = temporaryFolder(t);
  const cert = (...args: string[]) => tryCommand(launcher, ['cert', ...args], { cwd: folder });
  t.match(await cert('ca'), {
    status: 0,
    output: /made a CA.*\nca\/ca\.crt {2}for every client.*\nca\/ca\.key {2}secret/,
  });
  t.match(await cert('ca'), { status: 2, output: /ca\.key exists already, so nothing was written/ });
  t.match(await cert('leaf', 'localhost', '127.0.0.1'), { status: 0, output: /certFile: tls\.crt/ });
  const file = (name: string) => readFileSync(join(folder, name), 'utf8');
  const server = https.createServer({ cert: file('tls.crt'), key: file('tls.key') });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const shown = JSON.parse((await cert('show', place, '--json')).stdout);
  t.strictSame(
    shown.map(({ names, ca }: { names: string[]; ca: boolean }) => [names, ca]),
    [
      [['localhost', '127.0.0.1'], false],
      [[], true],
    ],
  );
  t.match(await cert('show', 'ca'), { status: 0, output: /subject {2}CN=Breakwater CA .*\nissuer {3}itself/ });
  t.match(await cert('doctor', place, '--ca', 'ca'), { status: 0, output: /accept the certificate/ });
  t.match(await cert('doctor', place, '--ca', 'ca', '--name', 'a.test'), {
    status: 1,
    output: /error: .*\n {2}-> use one/,
  });
  t.match(await cert('show', '127.0.0.1:1'), {
    status: 1,
    output: /127\.0\.0\.1:1 sent no certificate: .*ECONNREFUSED/,
  });
  t.match(await cert('show', './none.crt'), { status: 2, output: /none\.crt does not exist/ });
});

t.test('a certificate that has expired, and places that are none', async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, 'x.crt');
  writeFileSync(file, 'nothing');
  const { status, stderr } = spawnSync(launcher, ['cert', 'show', file], { encoding: 'utf8' });
  t.equal(status, 2);
  t.match(stderr, /x\.crt: it holds no certificate in PEM form/);
  t.strictSame(readPlace('cr.test'), { host: 'cr.test', port: 443 });
  t.strictSame(readPlace('https://cr.test:8443/v2/'), { host: 'cr.test', port: 8443 });
  t.strictSame(readPlace('[::1]:5000'), { host: '::1', port: 5000 });
  t.strictSame(readPlace('::1'), { host: '::1', port: 443 });
  for (const wrong of ['', 'a b', 'cr.test:0', 'cr.test:99999', 'http://cr.test'])
    t.throws(() => readPlace(wrong), { name: 'UsageError' }, wrong);
});
