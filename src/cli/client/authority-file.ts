import { X509Certificate } from 'node:crypto';
import { certificateBlocks } from '../../certificates/certificate-text.ts';
import { readBounded, unreadable } from '../../config/material-reader.ts';
import { UsageError } from '../config-path.ts';

const MAX_BYTES = 1_048_576;

/**
 * The certificates of a PEM file, and nothing else of it, so that no key that lies beside them is written to a node.
 * @param option names the file in messages
 * @throws UsageError if there are none, or if one cannot be read or has expired
 */
export async function readAuthority(file: string, option: string): Promise<string> {
  const blocks = await blocksOf(file, option);
  if (blocks.length === 0)
    throw new UsageError(`${option}: ${file} holds no certificate in PEM form; expected -----BEGIN CERTIFICATE-----`);
  for (const [index, block] of blocks.entries()) {
    const which = `${option}: certificate ${index + 1} of ${blocks.length} in ${file}`;
    const certificate = parsed(block);
    if (!certificate) throw new UsageError(`${which} cannot be read`);
    refuseExpired(certificate, which);
  }
  return blocks.map((block) => `${block}\n`).join('');
}

/** The last certificate of a chain, if it is its own issuer: the root that clients have to trust. @throws UsageError if it has expired */
export async function selfSignedOf(file: string): Promise<string | undefined> {
  const last = (await blocksOf(file, 'tls.certFile')).at(-1);
  const certificate = last === undefined ? undefined : parsed(last);
  if (!certificate?.checkIssued(certificate)) return undefined;
  refuseExpired(certificate, `tls.certFile: the last certificate in ${file}`);
  return `${last}\n`;
}

function refuseExpired({ validToDate }: X509Certificate, which: string): void {
  if (validToDate >= new Date()) return;
  const day = validToDate.toISOString().slice(0, 10);
  throw new UsageError(`${which} expired on ${day}: give the authority that issues the edge's certificate today`);
}

async function blocksOf(file: string, option: string): Promise<string[]> {
  const content = await readBounded(file, MAX_BYTES).catch((error: unknown) => {
    throw new UsageError(`${option}: ${file} ${unreadable(error)}`);
  });
  if (!content) throw new UsageError(`${option}: ${file} is longer than ${MAX_BYTES} bytes`);
  return certificateBlocks(content.toString('latin1'));
}

function parsed(block: string): X509Certificate | undefined {
  try {
    return new X509Certificate(block);
  } catch {
    return undefined;
  }
}
