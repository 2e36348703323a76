import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseDocument } from 'yaml';
import { check } from '../../src/cli/check/check.ts';
import { everyDirective } from '../../src/nginx/syntax/directive.ts';
import { writeMaterial } from '../config/write-material.ts';
import type { Owner } from '../helpers/temporary-folder.ts';
import { IMPORTS, importFolder } from './import-folder.ts';

// Each folder is a kind of configuration that people run, with what the import makes of it. `UPDATE_IMPORTS=1` writes the latter anew.
const kinds = readdirSync(IMPORTS).sort();

t.test('there are at least 15 kinds', async (t) => {
  t.ok(kinds.length >= 15, `${kinds.length}`);
});

for (const kind of kinds) {
  t.test(kind, async (t) => {
    const { configuration, report, lines, directives } = await importFolder(kind);
    const expected = { 'breakwater.yaml': configuration, 'report.txt': report };
    for (const [name, text] of Object.entries(expected)) {
      const file = join(IMPORTS, kind, name);
      if (process.env.UPDATE_IMPORTS) writeFileSync(file, text);
      t.equal(text, readFileSync(file, 'utf8'), name);
    }
    t.equal(lines.length, everyDirective(directives).length, 'each directive has a line');
    t.notMatch(configuration + report, /not-a-real|bm90LWE|c2VjcmV0/i, 'no secret is shown');
    const findings = await check(await withMaterial(t, configuration), { offline: true });
    const errors = findings.filter(({ level, message }) => level === 'error' && !/is for|expired|name/.test(message));
    t.strictSame(errors, [], 'breakwater check --offline');
  });
}

/** Writes the configuration where the files that it names are. */
async function withMaterial(t: Owner, configuration: string): Promise<string> {
  const folder = await writeMaterial(t);
  const document = parseDocument(configuration);
  const files: Record<string, string> = { certFile: 'tls.crt', keyFile: 'tls.key', caFile: 'tls.crt' };
  const place = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(place);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => {
        if (key === 'keyFile' && one === 'edge.key') return [key, one];
        if (key === 'htpasswdFile') return [key, 'users'];
        if (key === 'passwordFile') return [key, 'users.secret'];
        return [key, files[key] ?? place(one)];
      }),
    );
  };
  writeFileSync(join(folder, 'users'), `ci:$2y$05$${'a'.repeat(53)}\n`);
  writeFileSync(join(folder, 'users.secret'), 'something\n', { mode: 0o600 });
  const path = join(folder, 'breakwater.yaml');
  writeFileSync(path, JSON.stringify(place(document.toJS())));
  return path;
}
