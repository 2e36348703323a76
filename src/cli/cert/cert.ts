import type { Command } from 'commander';
import { registerBundle } from './bundle.ts';
import { registerAuthority } from './ca.ts';
import { registerDoctor } from './doctor.ts';
import { registerLeaf } from './leaf.ts';
import { registerOrder } from './order.ts';
import { registerShow } from './show.ts';

/** `breakwater cert`: certificates of a private CA, and what is wrong with a certificate. */
export function registerCert(program: Command): void {
  const cert = program
    .command('cert')
    .description(
      'Make, renew, show and hand out the certificates of a private CA, explain TLS failures, and let an edge order its certificate by ACME now.',
    );
  registerAuthority(cert);
  registerLeaf(cert);
  registerShow(cert);
  registerDoctor(cert);
  registerBundle(cert);
  registerOrder(cert);
}
