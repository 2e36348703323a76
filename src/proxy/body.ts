import { OciError } from '../oci/error.ts';
import { ClientGone, type Exchange } from './exchange.ts';

const MAX_FORM = 65_536;

/**
 * Reads a small body whole.
 * @param most bytes
 * @param what names the body in the message
 * @throws OciError SIZE_INVALID; ClientGone
 */
export async function readBody(exchange: Exchange, most: number, what: string): Promise<string> {
  const tooLong = () => new OciError('SIZE_INVALID', `${what} must not be larger than ${most} bytes`);
  if (Number(exchange.headers['content-length'] ?? 0) > most) throw tooLong();
  const chunks: Buffer[] = [];
  exchange.sendContinue();
  try {
    // A request that is too long is not destroyed, so that the client can read the reason.
    for await (const chunk of exchange.request.iterator({ destroyOnReturn: false })) {
      exchange.bytesIn += chunk.length;
      if (exchange.bytesIn > most) throw tooLong();
      chunks.push(chunk);
    }
  } catch (error) {
    throw exchange.gone.aborted ? new ClientGone() : error;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The body of a token request. @throws OciError SIZE_INVALID; ClientGone */
export async function readFormBody(exchange: Exchange): Promise<URLSearchParams> {
  return new URLSearchParams(await readBody(exchange, MAX_FORM, 'a token request'));
}
