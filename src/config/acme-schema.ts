import { z } from 'zod';
import { choice, duration, file, section } from './text.ts';

const DEFAULT_DIRECTORY = 'https://acme-v02.api.letsencrypt.org/directory';

const acmeUrl = z
  .string()
  .refine((text) => {
    const url = URL.parse(text);
    return url?.protocol === 'https:' && url.username + url.password === '';
  }, 'an https URL without a login')
  // One server is written in one way.
  .overwrite((text) => URL.parse(text)?.href ?? text)
  .meta({ title: 'URL' });

const dnsName = z
  .string()
  .regex(
    /^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/,
    'a full host name such as cr.example.io, or *.example.io',
  )
  .toLowerCase()
  .meta({ title: 'host name' });

/** A certificate that the edge orders itself. */
export const acmeSchema = z.strictObject({
  directory: acmeUrl.default(DEFAULT_DIRECTORY).describe('Directory of the ACME server. The default is Let’s Encrypt.'),
  caFile: file
    .optional()
    .describe('CA of the ACME server, PEM, if it is a private one such as step-ca. Omitted: the usual CAs.'),
  agreeToTerms: z
    .literal(true)
    .describe('That you agree to the terms of service of the ACME server. Nothing is ordered without it.'),
  email: z
    .email({ error: 'an email address' })
    .optional()
    .describe('Where the ACME server may write to. Omitted: nowhere.'),
  names: z
    .array(dnsName)
    .min(1)
    .max(100)
    .optional()
    .describe('Names of the certificate. Default: `hostname`, and those of `aliases` that are host names.'),
  dir: file
    .optional()
    .describe(
      'Folder for the account and the certificate. It must last over restarts, because the number of orders is limited by it. Omitted: this edge orders nothing, and takes the certificate from the edges in `peers`.',
    ),
  challenge: choice(['http-01', 'dns-01'], 'http-01').describe(
    'How the ACME server verifies the names. `http-01`: it asks each name on port 80, which must lead to `listen.http` of any edge. `dns-01`: `dns.command` makes a TXT record, which wildcards need.',
  ),
  dns: section({
    command: z
      .array(z.string().min(1).max(4096))
      .min(1)
      .max(32)
      .optional()
      .describe(
        'Program and arguments that change DNS, for `dns-01`. It gets `add` or `remove`, the name of the TXT record and its value as further arguments. Its environment has only `PATH` and `HOME`.',
      ),
    timeout: duration('60s', 100).describe('How long one run may take.'),
    wait: duration('30s', 0).describe('How long a new record needs until all name servers have it.'),
  }).describe('How DNS is changed, for `dns-01`.'),
});

export type AcmeConfig = z.output<typeof acmeSchema>;
