import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import type { KeyedCertificate } from '../../src/certificates/certificate-maker.ts';
import { command } from './command.ts';
import { type Owner, temporaryFolder } from './temporary-folder.ts';
import { tool } from './tool.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const VALID = { notBefore: new Date(Date.now() - 3_600_000), notAfter: new Date(Date.now() + 30 * 86_400_000) };

/** What `openssl req` makes if it is told nothing else: a subject, and no names. */
export async function commonNameOnly(owner: Owner, name: string): Promise<KeyedCertificate> {
  const folder = temporaryFolder(owner);
  const [cert, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', key, '-out', cert];
  await command(tool('openssl'), ['req', '-x509', '-nodes', '-days', '30', '-subj', `/CN=${name}`, ...made]);
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}

/** A root, an intermediate that it signed, and the key of the intermediate. */
export async function makeIntermediate(): Promise<{ root: string; intermediate: KeyedCertificate }> {
  x509.cryptoProvider.set(webcrypto as Crypto);
  const make = () => webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const [rootKeys, keys] = await Promise.all([make(), make()]);
  const extensions = [new x509.BasicConstraintsExtension(true, undefined, true)];
  const shared = { ...VALID, signingAlgorithm: ALGORITHM, extensions };
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    ...shared,
    ...{ serialNumber: '0101', name: 'CN=Company root', keys: rootKeys },
  });
  const intermediate = await x509.X509CertificateGenerator.create({
    ...shared,
    ...{ serialNumber: '0102', subject: 'CN=Company intermediate', issuer: root.subject },
    ...{ publicKey: keys.publicKey, signingKey: rootKeys.privateKey },
  });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { root: root.toString('pem'), intermediate: { cert: `${intermediate.toString('pem')}\n`, key } };
}
