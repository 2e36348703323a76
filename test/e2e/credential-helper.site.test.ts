import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import bcrypt from 'bcrypt';
import t, { type Test } from 'tap';
import { LAUNCHER, startEdge } from '../helpers/edge.ts';
import { HttpsClient } from '../helpers/https-client.ts';
import { startRegistry } from '../helpers/registry.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing, tool } from '../helpers/tool.ts';
import { until } from '../helpers/until.ts';

const USER = 'robot';
const SECRET = 'the secret in the password store';

/** A home with a password store, in which docker-credential-pass keeps the login of a server. */
function homeWithStore(t: Test, server: string): string {
  const home = temporaryFolder(t);
  const env = { PATH: `${process.env.PATH}:/usr/bin:/bin`, HOME: home };
  const run = (program: string, args: string[], input = '') => {
    const { status, stderr } = spawnSync(program, args, { env, input, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`);
  };
  t.teardown(() => spawnSync('gpgconf', ['--kill', 'gpg-agent'], { env }));
  run('gpg', ['--batch', '--passphrase', '', '--quick-generate-key', 'edge@example.io', 'rsa2048', 'encrypt', 'never']);
  run('pass', ['init', 'edge@example.io']);
  const login = JSON.stringify({ ServerURL: server, Username: USER, Secret: SECRET });
  run(tool('docker-credential-pass'), ['store'], login);
  return home;
}

t.test(
  'docker-credential-pass gives the credentials of a real registry',
  { skip: missing('docker-registry', 'docker-credential-pass', 'pass', 'gpg') },
  async (t) => {
    const htpasswd = join(temporaryFolder(t), 'htpasswd');
    writeFileSync(htpasswd, `${USER}:${await bcrypt.hash(SECRET, 5)}\n`);
    const registry = await startRegistry(t, { auth: { htpasswd: { realm: 'x', path: htpasswd } } });
    const home = homeWithStore(t, registry.address);
    const launcher = join(temporaryFolder(t), 'launcher');
    writeFileSync(launcher, `#!/bin/sh\nHOME=${home} exec ${LAUNCHER} "$@"\n`);
    chmodSync(launcher, 0o755);
    const edge = await startEdge(
      t,
      {
        upstreams: { harbor: { urls: [registry.url], credentials: { helper: 'pass' }, probe: { allowEmpty: true } } },
        routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }] }],
      },
      launcher,
    );
    const client = new HttpsClient(edge.url, edge.certificate.authority);
    t.teardown(() => client.close());
    await until(async () => (await client.ask('/v2/library/app/tags/list')).status === 404, {
      what: () => 'the registry to take the login, and to say that there is no such repository',
    });
    t.match(edge.log(), /"msg":"listening"/);
    t.notMatch(edge.log(), /there are no credentials/);
    t.notMatch(edge.log(), new RegExp(SECRET));
  },
);
