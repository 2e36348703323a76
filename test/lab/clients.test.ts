import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { type LabRegistryOptions, startLabRegistry } from '../../src/lab/registry.ts';
import { sampleImages } from '../../src/lab/sample.ts';
import { command } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing, tool } from '../helpers/tool.ts';

const WAYS: Record<string, LabRegistryOptions> = {
  'as distribution': {},
  'as Harbor': {
    harbor: true,
    locations: 'absolute',
    auth: { scheme: 'bearer', users: [{ username: 'u', password: 'p' }] },
  },
  'as Artifact Registry': { uploads: 'artifact-registry', downloads: 'redirect' },
};

for (const [way, options] of Object.entries(WAYS)) {
  t.test(`skopeo there and back, ${way}`, { skip: missing('skopeo') }, async (t) => {
    const registry = await startLabRegistry(options);
    t.teardown(() => registry.close());
    const { digest } = registry.seed('library/hello', 'latest', sampleImages().hello);
    const host = registry.url.slice('http://'.length);
    const layout = join(temporaryFolder(t), 'layout');
    const copy = (...args: string[]) => command(tool('skopeo'), ['--insecure-policy', 'copy', '--quiet', ...args]);
    const login = options.auth ? ['u:p'] : [];

    await copy(
      '--src-tls-verify=false',
      ...login.map((as) => `--src-creds=${as}`),
      `docker://${host}/library/hello:latest`,
      `oci:${layout}:x`,
    );
    const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'));
    t.equal(index.manifests[0].digest, digest);

    registry.forget();
    await copy(
      '--dest-tls-verify=false',
      ...login.map((as) => `--dest-creds=${as}`),
      `oci:${layout}:x`,
      `docker://${host}/team/copy:v1`,
    );
    t.equal(registry.store.manifest('team/copy', 'v1')?.digest, digest, 'the same manifest comes back');
    t.ok(registry.writes >= 4, 'uploads and a manifest');
  });
}
