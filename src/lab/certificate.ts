import { type KeyedCertificate, makeAuthority, makeLeaf } from '../certificates/certificate-maker.ts';

export interface CertificateOptions {
  /** Host names and addresses beside localhost, 127.0.0.1 and ::1. */
  names?: readonly string[];
  /** Default 30. Negative: expired. */
  days?: number;
  /** Whether an authority of its own signs it; without, it signs itself. */
  authority?: boolean;
}

/** All PEM. */
export interface MadeCertificate extends KeyedCertificate {
  /** What a client must trust: the authority, or the certificate itself. */
  ca: string;
}

const DAY = 86_400_000;

/** Makes a server certificate (ECDSA P-256) that nobody should trust for longer than a session. */
export async function makeCertificate({
  names = [],
  days = 30,
  authority = false,
}: CertificateOptions = {}): Promise<MadeCertificate> {
  // An hour back, for clocks that differ.
  const from = new Date(Date.now() - 3_600_000 - (days < 0 ? 60 * DAY : 0));
  const until = new Date(Date.now() + days * DAY);
  const signer = authority ? await makeAuthority({ name: 'breakwater lab authority', from, until }) : undefined;
  const all = ['localhost', '127.0.0.1', '::1', ...names];
  const leaf = await makeLeaf({ names: all, subject: 'breakwater lab', from, until, authority: signer });
  return { ...leaf, ca: signer?.cert ?? leaf.cert };
}
