import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { freePorts } from '../../bench/proxies/ports.ts';
import { exportNginx } from '../../src/cli/nginx/export-command.ts';
import { writeCertificate } from '../helpers/certificate.ts';
import { command } from '../helpers/command.ts';
import { HttpsClient } from '../helpers/https-client.ts';
import { type Image, writeImage } from '../helpers/image.ts';
import { Program } from '../helpers/program.ts';
import { type Registry, startRegistry } from '../helpers/registry.ts';
import { Skopeo } from '../helpers/skopeo.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing, tool } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

interface Site {
  primary: Registry;
  fallback: Registry;
  /** HOST:PORT of nginx. */
  host: string;
  client: HttpsClient;
  skopeo: Skopeo;
}

const DEADLINES = { connect: '1s', manifest: '1s', blob: '1s', stall: '1s', push: '1s' };

/** A primary and a fallback behind an nginx with the exported configuration. */
async function startNginx(owner: Owner): Promise<Site> {
  const folder = temporaryFolder(owner);
  const [primary, fallback, certificate] = [
    await startRegistry(owner),
    await startRegistry(owner),
    await writeCertificate(owner),
  ];
  const [port = 0] = await freePorts(1);
  const config = {
    hostname: '127.0.0.1',
    listen: { https: `127.0.0.1:${port}` },
    tls: { certFile: certificate.certFile, keyFile: certificate.keyFile },
    upstreams: {
      primary: { urls: [primary.url], deadlines: DEADLINES },
      fallback: { urls: [fallback.url] },
    },
    routes: [
      {
        prefix: 'library/',
        push: 'primary',
        pull: [{ upstream: 'primary' }, { upstream: 'fallback', prefix: 'example-project/' }],
      },
      { prefix: 'team/', push: 'primary', pull: [{ upstream: 'primary', prefix: 'teams/' }, { upstream: 'fallback' }] },
      { prefix: 'mirror/', pull: [{ upstream: 'fallback' }] },
    ],
  };
  writeFileSync(join(folder, 'breakwater.yaml'), stringify(config));
  await exportNginx({ config: join(folder, 'breakwater.yaml'), output: folder });
  const file = join(folder, 'nginx.conf');
  // Users other than root may not write where the package of nginx keeps its logs.
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(file, readFileSync(file, 'utf8').replace('http {', `http { access_log off; ${temporary.join(' ')}`));
  const globals = `daemon off; pid ${folder}/nginx.pid; error_log stderr notice;`;
  const args = ['-p', folder, '-c', file, '-g', globals];
  await command(tool('nginx'), ['-t', ...args]);
  const program = new Program(owner, { command: tool('nginx'), args, logFile: join(folder, 'nginx.log') });
  program.start();
  await program.waitForLog(/start worker process/);
  const client = new HttpsClient(`https://127.0.0.1:${port}`, certificate.authority);
  owner.teardown(() => client.close());
  return {
    primary,
    fallback,
    host: `127.0.0.1:${port}`,
    client,
    skopeo: new Skopeo(owner, certificate.authorityFolder),
  };
}

t.test(
  'the exported nginx pulls and pushes, in an outage and just after it',
  { skip: missing('nginx', 'skopeo', 'docker-registry') },
  async (t) => {
    const { primary, fallback, host, client, skopeo } = await startNginx(t);
    const direct = new Skopeo(t);
    const image = async () => await writeImage(temporaryFolder(t), { layers: [300_000, 200] });
    const [pulled, pushed] = [await image(), await image()];
    const blobPath = ({ blobs }: Image) => `/v2/library/b/blobs/${blobs[0]?.digest}`;

    await skopeo.push(pulled.folder, `${host}/library/a:v1`);
    t.equal(fallback.writes(), 0, 'a push goes to the primary only');
    t.equal(await direct.pull(`${primary.address}/library/a:v1`), pulled.digest);
    await direct.push(pulled.folder, `${fallback.address}/example-project/a:v1`);
    await direct.push(pushed.folder, `${fallback.address}/example-project/b:v0`);
    await skopeo.push(pulled.folder, `${host}/team/c:v1`);
    t.equal(await direct.pull(`${primary.address}/teams/c:v1`), pulled.digest, 'a prefix is replaced on pushes too');
    await direct.push(pulled.folder, `${fallback.address}/team/c:v1`);
    const written = fallback.writes();
    t.equal((await client.ask(blobPath(pushed), { method: 'HEAD' })).status, 404, 'a HEAD of a blob asks the primary');
    t.equal(
      (await client.ask('/v2/mirror/x/blobs/uploads/', { method: 'POST' })).status,
      403,
      'a route without push is read-only',
    );
    t.equal((await client.ask('/v2/other/x/manifests/v1')).status, 404, 'no route');

    primary.freeze();
    t.equal(await skopeo.pull(`${host}/library/a:v1`), pulled.digest, 'pulls go on while the primary hangs');
    t.equal(await skopeo.pull(`${host}/team/c:v1`), pulled.digest, 'each upstream gets its own prefix');
    const head = await client.ask(blobPath(pushed), { method: 'HEAD' });
    t.equal(head.status, 503, 'no fallback says that a blob is there');
    const start = await client.ask('/v2/library/b/blobs/uploads/', { method: 'POST' });
    t.equal(start.status, 503);
    t.match(JSON.parse(start.body.toString()), { errors: [{ code: 'UNAVAILABLE' }] });
    t.not((await skopeo.tryPush(pushed.folder, `${host}/library/b:v1`)).status, 0, 'a push fails');

    primary.thaw();
    await until(async () => (await skopeo.tryPush(pushed.folder, `${host}/library/b:v1`)).status === 0, {
      what: () => 'a push just after the recovery',
      timeout: 40_000,
    });
    t.equal(
      await direct.pull(`${primary.address}/library/b:v1`),
      pushed.digest,
      'no upload was skipped: the primary has all of it',
    );

    await primary.kill();
    t.equal(await skopeo.pull(`${host}/library/a:v1`), pulled.digest, 'pulls go on while the primary is down');
    t.equal((await client.ask('/v2/')).status, 200);
    t.equal((await client.ask('/v2/library/a/manifests/v2', { method: 'PUT', body: '{}' })).status, 503);
    t.equal((await client.ask('/v2/library/a/manifests/v1', { method: 'DELETE' })).status, 503);
    t.equal(fallback.writes(), written, 'nothing was written to the fallback');
  },
);
