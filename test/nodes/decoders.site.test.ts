import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { KINDS } from '../../src/clients/kinds.ts';
import { FALLBACK, siteOf, textsOf } from '../clients/client-sites.ts';
import { command } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { findBuiltTool } from '../helpers/tool.ts';

const decoders = findBuiltTool('decoders');
const OPTIONS = { skip: decoders === undefined && 'not built: decoders (bin/real-parts clients)' };
const MIRRORS = [{ registry: 'docker.io', prefix: 'hub/' }];

t.test("CRI-O's library asks the edge first, then the fallback, and nothing else for mirrors", OPTIONS, async (t) => {
  const sources = async (fallback: typeof FALLBACK | undefined, image: string) => {
    const generated = KINDS['cri-o']?.generate({ site: siteOf({ mirrors: MIRRORS, fallback }), version: undefined });
    const file = join(temporaryFolder(t), 'registries.conf');
    writeFileSync(
      file,
      (generated && textsOf(generated)['/etc/containers/registries.conf.d/50-breakwater-cr.example.io.conf']) ?? '',
    );
    return JSON.parse((await command(decoders ?? '', ['registries-conf', file, image])).stdout);
  };
  t.strictSame(await sources(undefined, 'docker.io/library/app:v1'), ['cr.example.io/hub/library/app:v1']);
  t.strictSame(await sources(undefined, 'cr.example.io/library/app:v1'), ['cr.example.io/library/app:v1']);
  t.strictSame(await sources(FALLBACK, 'cr.example.io/library/app:v1'), [
    'cr.example.io/library/app:v1',
    'asia.gcr.io/example-project/library/app:v1',
    'cr.example.io/library/app:v1',
  ]);
  t.strictSame(await sources(FALLBACK, 'docker.io/library/app:v1'), [
    'cr.example.io/hub/library/app:v1',
    'docker.io/library/app:v1',
  ]);
});

t.test('the types of k3s read registries.yaml, and know every key', OPTIONS, async (t) => {
  const site = siteOf({ mirrors: MIRRORS, fallback: FALLBACK, user: { name: 'node', password: 'secret' } });
  const generated = KINDS.k3s?.generate({ site, version: undefined });
  const file = join(temporaryFolder(t), 'registries.yaml');
  writeFileSync(file, (generated && textsOf(generated)['/etc/rancher/k3s/registries.yaml']) ?? '');
  t.match(JSON.parse((await command(decoders ?? '', ['registries-yaml', file])).stdout), {
    mirrors: {
      'cr.example.io': { endpoint: ['https://cr.example.io', 'https://asia.gcr.io/v2/example-project'] },
      'docker.io': { endpoint: ['https://cr.example.io/v2/hub'] },
    },
    configs: {
      'cr.example.io': {
        auth: { username: 'node', password: 'secret' },
        tls: { ca_file: '/etc/rancher/k3s/breakwater/cr.example.io.crt' },
      },
    },
  });
});
