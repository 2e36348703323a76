import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { keptFiles, presentFiles, presentText } from '../../../src/cli/init/present-site.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';

t.test('a directory without a site', async (t) => {
  const directory = temporaryFolder(t);
  writeFileSync(join(directory, 'mine'), '');
  t.strictSame(presentFiles(directory), []);
  t.strictSame(presentFiles(join(directory, 'missing')), []);
  t.strictSame(await keptFiles(directory), { key: undefined, ca: undefined, users: undefined, adminToken: undefined });
});

t.test('what is there, also if it is broken', async (t) => {
  const directory = temporaryFolder(t);
  writeFileSync(join(directory, 'breakwater.yaml'), 'hostname: [\n');
  writeFileSync(join(directory, 'edge.key'), 'key\n');
  mkdirSync(join(directory, 'ca'));
  writeFileSync(join(directory, 'ca/ca.crt'), 'a CA without its key');
  const names = presentFiles(directory);
  t.strictSame(names, ['breakwater.yaml', 'edge.key', 'ca/ca.crt']);
  const text = await presentText(directory, names);
  t.match(text, /a configuration with errors[\s\S]*breakwater check -c [\s\S]*--force/);
  const ca = { cert: 'a CA without its key', key: undefined };
  t.strictSame(await keptFiles(directory), { key: Buffer.from('key\n'), ca, users: undefined, adminToken: undefined });
  const binary = Buffer.from([0x0a, 0xc3, 0x28, 0xff, 0x00, 0x20, 0x0a]);
  writeFileSync(join(directory, 'edge.key'), binary);
  t.strictSame((await keptFiles(directory)).key, binary, 'byte for byte');
  mkdirSync(join(directory, 'users.htpasswd'));
  await t.rejects(keptFiles(directory), { name: 'UsageError', message: /users\.htpasswd is a folder/ });
});
