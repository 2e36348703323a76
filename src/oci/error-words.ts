import type { UpstreamWords } from './error.ts';
import { isObject } from './manifest-content.ts';

const MAX_MESSAGE = 512;
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/**
 * The code and message in an error body (distribution-spec "Error Codes"), bounded and printable. The detail is left out, because it can
 * hold paths of a registry's storage. Undefined: the body has none.
 */
export function errorWords(body: Buffer): UpstreamWords | undefined {
  const { errors } = parse(body) ?? {};
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (!isObject(first)) return undefined;
  const { code, message } = first;
  const words = {
    ...(typeof code === 'string' && CODE.test(code) ? { code } : {}),
    ...(typeof message === 'string' && printable(message) !== '' ? { message: printable(message) } : {}),
  };
  return Object.keys(words).length > 0 ? words : undefined;
}

/** Without control characters, direction marks and lone surrogates. */
function printable(text: string): string {
  return text
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, MAX_MESSAGE)
    .toWellFormed();
}

function parse(body: Buffer): Record<string, unknown> | undefined {
  try {
    const content: unknown = JSON.parse(body.toString('utf8'));
    return isObject(content) ? content : undefined;
  } catch {
    return undefined;
  }
}
