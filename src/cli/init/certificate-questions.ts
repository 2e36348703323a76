import { acmeSchema } from '../../config/acme-schema.ts';
import { MaterialReader } from '../../config/material-reader.ts';
import { UsageError } from '../config-path.ts';
import { choice, parsed } from './answer-parser.ts';
import { readAuthority } from './input-file.ts';
import type { Interview } from './interview.ts';
import type { CertificatePlan } from './site-plan.ts';

/** Options of `breakwater init` about the certificate of the edge. */
export interface CertificateOptions {
  certificate?: string;
  certFile?: string;
  certKeyFile?: string;
  acmeAgree?: boolean;
  acmeEmail?: string;
  acmeDirectory?: string;
  acmeCa?: string;
}

const SOURCES = ['ca', 'acme', 'files', 'later'] as const;
const TERMS = 'Do you agree to the terms of service of the ACME server';

const CERTIFICATE_HELP = [
  'The certificate of the edge:',
  'ca: made now, with a CA of its own that clients have to trust.',
  'acme: the edge orders it from an ACME server, by default Let’s Encrypt, which must reach it on port 80.',
  'files: one that you have. later: you put tls.crt and tls.key into the directory.',
];

/** Asks where the certificate comes from. @throws UsageError */
export async function certificateOf(interview: Interview, options: CertificateOptions): Promise<CertificatePlan> {
  const isGiven = options.certFile !== undefined || options.certKeyFile !== undefined;
  const from = await interview.answer({
    ...{ flag: '--certificate', given: options.certificate ?? (isGiven ? 'files' : undefined) },
    ...{ text: 'Certificate', help: CERTIFICATE_HELP, usual: 'ca' },
    parse: (text) => choice(SOURCES, '--certificate', text),
  });
  if (from !== 'files' && isGiven)
    throw new UsageError(`--cert-file and --cert-key-file are for --certificate files, not ${from}`);
  if (from === 'acme') return acmeOf(interview, options);
  if (from !== 'files') return { from: from ?? 'ca' };
  const plain = (text: string) => text;
  const certFile = await interview.answer({
    ...{ flag: '--cert-file', given: options.certFile, text: 'File with the certificate and its chain', parse: plain },
  });
  const keyFile = await interview.answer({
    ...{ flag: '--cert-key-file', given: options.certKeyFile, text: 'File with its private key', parse: plain },
  });
  // `finish` names what is missing.
  if (certFile === undefined || keyFile === undefined) return { from: 'later' };
  const reader = new MaterialReader(process.cwd());
  const pair = await reader.pair({ certFile, keyFile }, ['--certificate files']);
  const [wrong] = reader.errors;
  if (!pair || wrong) throw new UsageError(`${wrong?.path.join(' ')} ${wrong?.message}`);
  return { from, cert: pair.cert, key: pair.key };
}

async function acmeOf(interview: Interview, options: CertificateOptions): Promise<CertificatePlan> {
  await interview.answer({
    ...{ flag: '--acme-agree', given: options.acmeAgree ? 'yes' : undefined, text: `${TERMS} (yes or no)` },
    parse: (text) => {
      if (!/^y(es)?$/i.test(text)) throw new UsageError('--acme-agree: without it, no ACME server gives a certificate');
    },
  });
  const shape = acmeSchema.shape;
  const email = await interview.answer({
    ...{ flag: '--acme-email', given: options.acmeEmail, text: 'Address that the ACME server may write to', usual: '' },
    parse: (text) => parsed(shape.email, '--acme-email', text === '' ? undefined : text),
  });
  const given = options.acmeDirectory;
  return {
    ...{ from: 'acme', email },
    directory: given === undefined ? undefined : parsed(shape.directory, '--acme-directory', given),
    ca: await readAuthority('--acme-ca', options.acmeCa ?? ''),
  };
}
