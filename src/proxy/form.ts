import { readBody } from './body.ts';
import type { Exchange } from './exchange.ts';

const MAX_FORM = 65_536;

/** The body of a token request. @throws OciError SIZE_INVALID; ClientGone */
export async function readFormBody(exchange: Exchange): Promise<URLSearchParams> {
  return new URLSearchParams(await readBody(exchange, MAX_FORM, 'a token request'));
}
