import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { check } from '../../../src/cli/check/check.ts';
import { writeMaterial } from '../../config/write-material.ts';
import { printing, useHelper, useHelpers } from '../../helpers/credential-helper.ts';
import { startLabSite } from '../../helpers/lab-site.ts';

const SECRET = 'the-secret-of-the-helper';

t.test('check runs the helper, and says what it gives or why not', async (t) => {
  const give = useHelper(t, 'lab', 'robot');
  const site = await startLabSite(t, {
    primary: { auth: { scheme: 'basic', users: [{ username: 'robot', password: SECRET }] } },
  });
  const folder = await writeMaterial(t);
  const path = join(folder, 'breakwater.yaml');
  const write = (credentials: object) =>
    writeFileSync(
      path,
      stringify({
        hostname: 'cr.example.io',
        tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
        keyFile: 'edge.key',
        upstreams: { harbor: { urls: [site.primary.url], credentials } },
        routes: [{ prefix: '', pull: [{ upstream: 'harbor' }] }],
      }),
    );
  const findings = async () =>
    (await check(path, {})).map(({ level, subject, message }) => `${level} ${subject}: ${message}`);
  write({ helper: 'lab' });
  give(SECRET);
  t.match((await findings()).join('\n'), /ok upstreams\.harbor\.credentials: docker-credential-lab gives credentials/);
  give('');
  const bad = await check(path, {});
  t.match(
    bad.filter(({ subject }) => subject === 'upstreams.harbor.credentials'),
    [
      {
        level: 'error',
        message: /^docker-credential-lab gives no credentials: docker-credential-lab printed no JSON/,
        remedy: 'correct that, or set other credentials: docs/upstream-credentials.md has the kinds',
      },
    ],
  );
  write({ helper: 'missing' });
  t.match((await findings()).join('\n'), /docker-credential-missing is not in a folder of PATH; install it there/);
  useHelpers(t, { slow: `sleep 1.5; ${printing('robot', SECRET)}` });
  write({ helper: 'slow' });
  t.match((await findings()).join('\n'), /docker-credential-slow gives credentials/, 'it waits longer than an edge');
  write({ metadata: 'gcp' });
  process.env.GCE_METADATA_HOST = '127.0.0.1:9';
  t.teardown(() => delete process.env.GCE_METADATA_HOST);
  t.match((await findings()).join('\n'), /the metadata server at 127\.0\.0\.1:9 cannot be reached/);
});

t.test('accounts of helpers for copies and probes are asked for before they are used', async (t) => {
  useHelpers(t, { robot: printing('robot', SECRET) });
  const site = await startLabSite(t, {
    primary: { harbor: true, auth: { scheme: 'bearer', users: [{ username: 'robot', password: SECRET }] } },
  });
  const path = join(await writeMaterial(t), 'breakwater.yaml');
  const helper = { helper: 'robot' };
  writeFileSync(
    path,
    stringify({
      hostname: 'cr.example.io',
      tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
      keyFile: 'edge.key',
      upstreams: {
        harbor: {
          urls: [site.primary.url],
          credentials: 'forward',
          probe: { kind: 'harbor', credentials: helper },
          replication: { credentials: helper },
        },
        gcr: { urls: [site.fallback.url] },
      },
      routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr', replicate: true }] }],
    }),
  );
  const found = await check(path, {});
  t.strictSame(
    found.filter(({ message }) => /credentials for copies|does not accept/.test(message)),
    [],
  );
  t.equal(found.filter(({ message }) => /docker-credential-robot gives credentials/.test(message)).length, 2);
});
