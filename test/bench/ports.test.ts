import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { freePorts } from '../../bench/proxies/ports.ts';
import { command } from '../helpers/command.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';

const ports = join(import.meta.dirname, '../../bench/proxies/ports.ts');
const file = (port: number) => join(tmpdir(), 'breakwater-ports', String(port));

/** Another process asks for so many ports. */
async function askAnother(count: number, env: NodeJS.ProcessEnv = {}): Promise<number[]> {
  const program = `const { freePorts } = await import(${JSON.stringify(ports)}); console.log(JSON.stringify(await freePorts(${count})))`;
  const options = { env: { ...process.env, ...env } };
  return JSON.parse((await command(process.execPath, ['--input-type=module', '-e', program], options)).stdout);
}

t.test('no port is given twice, and no other process gets it until this one ends', async (t) => {
  const given = await freePorts(200);
  t.equal(new Set(given).size, 200);
  t.ok(given.every((port) => existsSync(file(port))));
  const others = await askAnother(200);
  t.same(
    others.filter((port) => given.includes(port)),
    [],
  );
  t.notOk(
    others.some((port) => existsSync(file(port))),
    'it has left nothing',
  );
});

t.test('a port that is in use is not given', async (t) => {
  const [port = 0] = await freePorts(1);
  const server = createServer().listen(port, '127.0.0.1');
  t.teardown(() => server.close());
  t.notOk((await freePorts(500)).includes(port));
});

t.test('what a killed process has left is found', async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'breakwater-ports'));
  // No process has such a number.
  for (let port = 20_000; port < 32_000; port += 1)
    writeFileSync(join(folder, 'breakwater-ports', `${port}`), '4194305');
  t.equal((await askAnother(20, { TMPDIR: folder })).length, 20);
});
