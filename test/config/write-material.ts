import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';

/** A folder with the files that configurations of the tests and the examples name. */
export async function writeMaterial(owner: Owner, names: string[] = ['cr.example.io']): Promise<string> {
  const folder = temporaryFolder(owner);
  const [one, other] = [await makeCertificate({ names }), await makeCertificate({ names })];
  const files: Record<string, string> = {
    'tls.crt': one.cert,
    'tls.key': one.key,
    'other.key': other.key,
    'chain.crt': `${one.cert}\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
    empty: '\n',
    garbage: 'no certificate',
    'short.key': 'short',
    'edge.key': 'k'.repeat(48),
    'harbor-ca.crt': one.cert,
    'probe.secret': 'probe-password\n',
    'replication.secret': 'replication-password\n',
    'hook.secret': 'the secret of the hooks\n',
    'gcr-key.json': '{\n  "type": "service_account"\n}\n',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  // Examples for containers keep theirs in a folder of its own.
  mkdirSync(join(folder, 'tls'));
  for (const name of ['tls.crt', 'tls.key', 'edge.key']) writeFileSync(join(folder, 'tls', name), files[name] ?? '');
  return folder;
}
