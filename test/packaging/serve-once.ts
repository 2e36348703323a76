import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Runs inside the image, as its user: its health check before there is an edge, its entry point, its health check again,
// its stop signal. Beside this file lie image.json, what the image says of itself, and a certificate with its key.
interface Image {
  Entrypoint: string[];
  Cmd: string[];
  StopSignal: NodeJS.Signals;
  Healthcheck: { Test: string[] };
}

const image = JSON.parse(readFileSync(join(import.meta.dirname, 'image.json'), 'utf8')) as Image;
const folder = mkdtempSync('/tmp/edge-');
for (const name of ['tls.crt', 'tls.key'])
  writeFileSync(`${folder}/${name}`, readFileSync(join(import.meta.dirname, name)), { mode: 0o600 });
writeFileSync(
  `${folder}/breakwater.yaml`,
  `hostname: localhost
listen: { https: 127.0.0.1:0, admin: 127.0.0.1:0 }
tls: { certFile: tls.crt, keyFile: tls.key }
drain: { announce: 0s }
upstreams: { primary: { urls: ["http://127.0.0.1:9"] } }
routes: [{ prefix: "", pull: [{ upstream: primary }] }]
`,
);

console.log(`user: ${process.getuid?.()}`);
console.log(`health before: ${health('http://127.0.0.1:9/healthz')}`);
const [command = '', ...args] = [...image.Entrypoint, ...image.Cmd];
const edge = spawn(command, args, {
  env: { ...process.env, BREAKWATER_CONFIG: `${folder}/breakwater.yaml` },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const admin = await listening(edge);
console.log(`health of ${admin}: ${health(`http://${admin}/healthz`)}`);
edge.kill(image.StopSignal);
edge.once('exit', (code) => console.log(`ended: ${code}`));

function health(url: string): number | null {
  const [check = '', ...checkArgs] = image.Healthcheck.Test.slice(1);
  return spawnSync(check, checkArgs, { env: { ...process.env, BREAKWATER_HEALTH_URL: url } }).status;
}

/** Resolves with the address of the admin listener. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const line = output.split('\n').find((one) => one.includes('"msg":"listening"') && one.endsWith('}'));
      if (line !== undefined) resolve((JSON.parse(line) as { admin: string }).admin);
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code}:\n${output}`)));
  });
}
