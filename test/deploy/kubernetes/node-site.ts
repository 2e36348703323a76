import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makeCertificate } from '../../../src/lab/certificate.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';

/** `/etc/breakwater` of a node, readable by user 1000: two registries, neither of which can be reached. @returns the folder */
export async function writeSite(owner: Owner): Promise<string> {
  const parent = temporaryFolder(owner);
  const folder = join(parent, 'etc');
  mkdirSync(folder);
  const { cert, key } = await makeCertificate({ names: ['cr.example.io'] });
  const files = {
    'tls.crt': cert,
    'tls.key': key,
    'edge.key': 'k'.repeat(48),
    'breakwater.yaml': stringify({
      hostname: 'cr.example.io',
      aliases: ['127.0.0.1'],
      tls: { certFile: 'tls.crt', keyFile: 'tls.key' },
      keyFile: 'edge.key',
      drain: { announce: '0s', timeout: '5s' },
      upstreams: { harbor: { urls: ['https://10.213.1.2'] }, gcr: { urls: ['https://10.213.1.3'] } },
      routes: [{ prefix: '', push: 'harbor', pull: [{ upstream: 'harbor' }, { upstream: 'gcr' }] }],
    }),
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  for (const path of [parent, folder]) chmodSync(path, 0o755);
  return folder;
}
