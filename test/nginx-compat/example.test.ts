import { execFile } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { documentedKeys, jsonSchema } from '../../bin/configuration-docs.ts';
import { loadConfig } from '../../src/config/load.ts';
import { writeMaterial } from '../config/write-material.ts';
import { missing } from '../helpers/tool.ts';

const folder = join(import.meta.dirname, '../../nginx-compat');

t.test('the example is one that nginx takes', { skip: missing('nginx') }, async (t) => {
  const material = await writeMaterial(t);
  copyFileSync(join(folder, 'example/nginx.conf'), join(material, 'nginx.conf'));
  const { stderr } = await promisify(execFile)('nginx', ['-t', '-p', material, '-c', join(material, 'nginx.conf')]);
  t.match(stderr, /test is successful/);
});

t.test('and what takes its place is one that we take', async (t) => {
  const material = await writeMaterial(t);
  copyFileSync(join(folder, 'example/breakwater.yaml'), join(material, 'breakwater.yaml'));
  const { config } = await loadConfig(join(material, 'breakwater.yaml'));
  t.equal(config.routes[0]?.push, 'nas');
});

t.test('every directive of the example is in the mapping, and every key of the mapping exists', async (t) => {
  const mapping = readFileSync(join(folder, 'README.md'), 'utf8');
  const example = readFileSync(join(folder, 'example/nginx.conf'), 'utf8');
  const server = example.slice(example.indexOf('upstream registry'));
  const directives = new Set([...server.matchAll(/^\s+([a-z_]+) /gm)].map(([, name = '']) => name));
  for (const name of directives) t.ok(mapping.includes(name), name);
  const keys = documentedKeys(jsonSchema()).map(({ key }) => key.replaceAll('[]', ''));
  const column = [...mapping.matchAll(/^\|[^|]*\|[^|]*\|([^|]*)\|/gm)].flatMap(([, here = '']) => [
    ...here.matchAll(/`([a-zA-Z.]+)[:`]/g),
  ]);
  for (const [, name = ''] of column)
    t.ok(
      keys.some((key) => key === name || key.endsWith(`.${name.replace('upstreams.NAME.', '')}`)),
      name,
    );
});
