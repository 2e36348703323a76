import { OciError } from '../oci/error.ts';
import { ClientGone, type Exchange } from './exchange.ts';

const MAX_FORM = 65_536;

/** The body of a token request. @throws OciError SIZE_INVALID; ClientGone */
export async function readFormBody(exchange: Exchange): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  exchange.sayContinue();
  try {
    // Not destroyed when it is too long: the client is still to read why.
    for await (const chunk of exchange.request.iterator({ destroyOnReturn: false })) {
      exchange.bytesIn += chunk.length;
      if (exchange.bytesIn > MAX_FORM) throw new OciError('SIZE_INVALID', `a token request may have ${MAX_FORM} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw exchange.gone.aborted ? new ClientGone() : error;
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}
