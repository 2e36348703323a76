import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../bench/proxies/ports.ts';
import { makeCertificate } from '../../src/lab/certificate.ts';
import { Program } from './program.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { tool } from './tool.ts';

export interface Pebble {
  directory: string;
  /** CA of its own https. */
  ca: string;
  /** Where the DNS that it asks takes records. */
  dnsManagement: string;
}

/**
 * An ACME server, and a DNS in which every name is 127.0.0.1.
 * @param httpPort where challenges of HTTP-01 are asked for, in place of port 80
 */
export async function startPebble(owner: Owner, httpPort: number): Promise<Pebble> {
  const folder = temporaryFolder(owner);
  const [acme, management, dns, dnsManagement] = await freePorts(4);
  const { cert, key, ca } = await makeCertificate({ authority: true });
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const pebble = {
    listenAddress: `127.0.0.1:${acme}`,
    managementListenAddress: `127.0.0.1:${management}`,
    certificate: file('pebble.crt', cert),
    privateKey: file('pebble.key', key),
    ...{ httpPort, tlsPort: 1, ocspResponderURL: '' },
  };
  const names = new Program(owner, {
    command: tool('pebble-challtestsrv'),
    args: [
      ...['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-dns01', `127.0.0.1:${dns}`],
      ...['-management', `127.0.0.1:${dnsManagement}`, '-http01', '', '-https01', '', '-tlsalpn01', ''],
    ],
    logFile: file('dns.log', ''),
  });
  names.start();
  await names.waitForLog(/management server/i);
  const server = new Program(owner, {
    command: tool('pebble'),
    args: ['-config', file('pebble.json', JSON.stringify({ pebble })), '-dnsserver', `127.0.0.1:${dns}`],
    // It would wait up to 15 s before it asks. To try clients, it refuses one good nonce in ten.
    env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '10' },
    logFile: file('pebble.log', ''),
  });
  server.start();
  await server.waitForLog(/Listening on|ACME directory available/i);
  return {
    directory: `https://127.0.0.1:${acme}/dir`,
    ca,
    dnsManagement: `http://127.0.0.1:${dnsManagement}`,
  };
}
