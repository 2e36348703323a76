// An HTTPS server that does nothing but answer. Arguments: certificate file, key file, length of the answer. It prints its port.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

const [certFile = '', keyFile = '', bytes] = process.argv.slice(2);
const body = Buffer.alloc(Number(bytes), 'x');
const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': String(body.length) });
  response.end(body);
});
// Connections are idle while the others are measured.
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`));
