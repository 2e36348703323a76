import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { writeBundle } from '../../../src/cli/cert/bundle.ts';
import { writeAuthority } from '../../../src/cli/cert/ca.ts';
import { command } from '../../helpers/command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { missing, tool } from '../../helpers/tool.ts';

/** A CA that was replaced by another one: both are to be trusted. */
async function bothAuthorities(folder: string): Promise<string> {
  await writeAuthority({ name: 'Old', days: 100, output: join(folder, 'old') }, Date.now());
  await writeAuthority({ name: 'New', days: 100, output: join(folder, 'new'), with: join(folder, 'old') }, Date.now());
  return join(folder, 'new/trust.crt');
}

t.test("Debian's store takes both CAs", { skip: missing('update-ca-certificates', 'openssl') }, async (t) => {
  const root = temporaryFolder(t);
  await writeBundle({ ca: await bothAuthorities(root), root, for: ['debian'] }, Date.now());
  const store = join(root, 'store');
  mkdirSync(store);
  await command(tool('update-ca-certificates'), [
    ...['--localcertsdir', join(root, 'usr/local/share/ca-certificates')],
    ...['--etccertsdir', store, '--hooksdir', join(root, 'none'), '--certsconf', '/dev/null'],
  ]);
  const bundle = readFileSync(join(store, 'ca-certificates.crt'), 'utf8');
  for (const name of ['old', 'new'])
    t.ok(bundle.includes(readFileSync(join(root, name, 'ca.crt'), 'utf8').trim()), `${name} is in the bundle`);
});

t.test(
  "Java's truststore takes both CAs with the commands that are printed",
  { skip: missing('keytool') },
  async (t) => {
    const root = temporaryFolder(t);
    const said = await writeBundle({ ca: await bothAuthorities(root), root, for: ['java'] }, Date.now());
    const lines = [...said.matchAll(/^now run: chroot \S+ keytool (.*)$/gm)].map(([, line = '']) => line);
    t.equal(lines.length, 2);
    const keystore = join(root, 'truststore.p12');
    for (const line of lines) {
      const args = line.replace('-cacerts', `-keystore ${keystore}`).replace(/-file (\S+)/, `-file ${root}$1`);
      await command(tool('keytool'), args.split(' '));
    }
    const { stdout } = await command(tool('keytool'), ['-list', '-keystore', keystore, '-storepass', 'changeit']);
    t.equal(stdout.match(/trustedCertEntry/g)?.length, 2);
    t.equal(readdirSync(join(root, 'usr/local/share/breakwater')).length, 2);
  },
);
