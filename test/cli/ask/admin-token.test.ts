import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { writeMaterial } from '../../config/write-material.ts';
import { tryCommand } from '../../helpers/command.ts';
import { type EdgeInProcess, RARE_PROBE, startEdgeInProcess } from '../../helpers/edge-in-process.ts';

const BIN = fileURLToPath(new URL('../../../bin/breakwater', import.meta.url));
const TOKEN = 'the-token-of-the-admin';
const SITE = {
  upstreams: { primary: { urls: ['http://127.0.0.1:9'], probe: RARE_PROBE } },
  routes: [{ prefix: '', pull: [{ upstream: 'primary' }] }],
};

const urlOf = (edge: EdgeInProcess) => `http://127.0.0.1:${edge.app.addresses().admin.port}`;

/** What a command says; `{}`: with nothing in the environment that names a token. */
async function run(args: readonly string[], variables: Record<string, string> = {}, cwd?: string) {
  const { BREAKWATER_ADMIN_TOKEN: _, BREAKWATER_CONFIG: __, ...env } = process.env;
  return tryCommand(BIN, [...args], { env: { ...env, ...variables }, ...(cwd === undefined ? {} : { cwd }) });
}

t.test('commands show the token that they find', async (t) => {
  const edge = await startEdgeInProcess(t, SITE, { adminToken: TOKEN });
  const folder = await writeMaterial(t);
  const admin = edge.app.addresses().admin.port;
  writeFileSync(join(folder, 'admin.token'), `${TOKEN}\n`);
  writeFileSync(join(folder, 'other.token'), 'another-token-of-admin\n');
  writeFileSync(join(folder, 'empty.token'), '\n');
  writeFileSync(
    join(folder, 'breakwater.yaml'),
    `hostname: cr.example.io\nlisten: { admin: "127.0.0.1:${admin}" }\ntls: { certFile: tls.crt, keyFile: tls.key }\nadminTokenFile: admin.token\nupstreams: { primary: { urls: ["http://127.0.0.1:9"] } }\nroutes: [{ prefix: "", pull: [{ upstream: primary }] }]\n`,
  );
  const json = ['--json', '--admin', urlOf(edge)];
  const config = ['--config', join(folder, 'breakwater.yaml')];
  for (const [how, said] of [
    ['--config', await run(['status', '--json', ...config])],
    ['--config and --admin', await run(['status', ...json, ...config])],
    ['--token-file', await run(['explain', 'library/app:1', ...json, '--token-file', join(folder, 'admin.token')])],
    ['variable', await run(['coverage', ...json], { BREAKWATER_ADMIN_TOKEN: TOKEN })],
  ] as const)
    t.match(said.output, /^\{\n/, how);
  const without = await run(['status', ...json], {}, folder);
  t.equal(without.status, 1, 'that of ./breakwater.yaml is not shown to an edge that was named');
  t.match(without.output, `the edge at ${urlOf(edge)} requires a token. Use --token-file or BREAKWATER_ADMIN_TOKEN`);
  t.notMatch(without.output, /\bat .*:\d+:\d+/, 'no stack');

  const wrong = await run(['coverage', ...json, '--token-file', join(folder, 'other.token')], {
    BREAKWATER_ADMIN_TOKEN: TOKEN,
  });
  t.equal(wrong.status, 1, 'a named file goes before the variable');
  t.match(wrong.output, /refuses the token from .*other\.token\. Compare it with the edge's adminTokenFile/);
  t.notMatch(wrong.output, 'another-token');
  for (const file of ['empty.token', 'no-such-file']) {
    const unusable = await run(['status', ...json, '--token-file', join(folder, file)]);
    t.equal(unusable.status, 2, file);
    t.match(unusable.output, /^breakwater: .*(holds no token|cannot be read)/);
  }
});

t.test('what else the edge refuses is told as it says it', async (t) => {
  const edge = await startEdgeInProcess(t, { ...SITE, listen: { https: '127.0.0.1:0', admin: '0.0.0.0:0' } });
  const refused = await run(['status', '--admin', urlOf(edge)]);
  t.equal(refused.status, 1);
  t.match(
    refused.output,
    /^breakwater: the edge at http:\S+ refuses: Other machines can reach .*adminTokenFile: admin\.token/,
  );
});

t.test('what the edge does not understand is a mistake of the caller', async (t) => {
  const edge = await startEdgeInProcess(t, SITE);
  const odd = await run(['explain', 'Library/App', '--admin', urlOf(edge)]);
  t.equal(odd.status, 2, odd.output);
});
