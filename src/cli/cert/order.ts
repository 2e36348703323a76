import type { Command } from 'commander';
import type { AcmeWish } from '../../acme/acme-view.ts';
import { type AdminOptions, showAnswer, withAdminOptions } from '../ask/admin-client.ts';

export function registerOrder(cert: Command): void {
  withAdminOptions(cert.command('order'))
    .description(
      'Let a running edge with tls.acme order its certificate now, once, whatever its schedule says: after what made orders fail was mended. Needs the admin token. Does not wait for the result, which breakwater status shows.',
    )
    .option('--json', 'print JSON')
    .action(async (options: AdminOptions) => {
      await showAnswer<AcmeWish>(options, '/api/cert-order', wishText, 'POST');
    });
}

/** What becomes of the wish, for a terminal. */
export function wishText({ names, by }: AcmeWish): string {
  const what = `a certificate for ${names.join(', ')}`;
  const said = {
    'under-way': `${what} is being ordered already; nothing more is ordered`,
    'this-edge': `${what} is being ordered`,
    site: `${what} is being ordered by one edge of the site, in a few seconds`,
  }[by];
  return `${said}\nwhat becomes of it: breakwater status\n`;
}
