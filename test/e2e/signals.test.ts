import { once } from 'node:events';
import { rename, writeFile } from 'node:fs/promises';
import tls from 'node:tls';
import t from 'tap';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { startLabRegistry } from '../../src/lab/registry.ts';
import { startEdge } from '../helpers/edge.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { until } from '../helpers/until.ts';

async function start(owner: Owner) {
  const registry = await startLabRegistry();
  owner.teardown(() => registry.close());
  registry.seed('app', '1', { blobs: [10] });
  const config = (prefix: string) => ({
    upstreams: { only: { urls: [registry.url] } },
    routes: [{ prefix, push: 'only', pull: [{ upstream: 'only', prefix: '' }] }],
  });
  const edge = await startEdge(owner, config(''));
  return { edge, config };
}

t.test('SIGHUP takes a new configuration, and refuses a bad one with its place', async (t) => {
  const { edge, config } = await start(t);
  const whole = (prefix: string, more: object = {}) => ({
    hostname: 'localhost',
    aliases: ['127.0.0.1'],
    listen: { https: '127.0.0.1:0', admin: '127.0.0.1:0' },
    tls: { certFile: edge.certificate.certFile, keyFile: edge.certificate.keyFile },
    drain: { announce: '0s', timeout: '5s' },
    ...config(prefix),
    ...more,
  });
  const routes = async () => {
    const status = (await edge.status()) as unknown as { routes: { prefix: string }[] };
    return status.routes.map((route) => route.prefix);
  };
  await edge.configure(whole('team/'));
  edge.signal('SIGHUP');
  await edge.waitForLog(/"audit":\{"action":"reload","result":"done","by":"SIGHUP"\}.*"msg":"reloaded"/);
  t.same(await routes(), ['team/']);

  await edge.configure(whole('other/', { hostnam: 'x' }));
  edge.signal('SIGHUP');
  const [line] = await edge.waitForLog(/^.*the new configuration is refused.*$/m);
  t.match(line, /"audit":\{"action":"reload","result":"refused","by":"SIGHUP"\}/);
  t.match(line, /breakwater\.yaml:\d+:\d+: hostnam: .*did you mean \\"hostname\\"/);
  t.same(await routes(), ['team/'], 'the old one goes on');
});

t.test('a changed certificate file is taken without any signal', async (t) => {
  const { edge } = await start(t);
  const { certFile, keyFile } = edge.certificate;
  const renewed = await makeCertificate({ names: ['localhost', 'renewed.test'], authority: true });
  await writeFile(`${keyFile}.new`, renewed.key);
  await writeFile(`${certFile}.new`, renewed.cert);
  await rename(`${keyFile}.new`, keyFile);
  await rename(`${certFile}.new`, certFile);
  const port = Number(edge.address.split(':').at(-1));
  await until(async () => {
    const socket = tls.connect({ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const names = socket.getPeerCertificate().subjectaltname;
    socket.destroy();
    return names?.includes('renewed.test');
  });
  t.pass('new connections get it');
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} drains, and ends with status 0`, async (t) => {
    const { edge } = await start(t);
    const { pid } = edge;
    edge.signal(signal);
    await until(() => !isAlive(pid), { what: () => `the end of the edge: ${edge.log()}` });
    t.equal(await edge.stop(), 0);
    t.match(edge.log(), /"msg":"drained"[\s\S]*"msg":"stopped"/);
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
