import { isObject } from './manifest-content.ts';

/**
 * The signed payload of a schema 1 manifest in JSON web signature form ("prettyjws"). Its digest, not that of the whole document, is the
 * digest of the manifest: each conversion has a signature of its own. Undefined: the document is not in this form.
 */
export function signedPayload(document: Buffer): Buffer | undefined {
  const content = parse(document);
  const [signature] = Array.isArray(content?.signatures) ? content.signatures : [];
  const header =
    isObject(signature) && typeof signature.protected === 'string' ? decode(signature.protected) : undefined;
  const { formatLength, formatTail } = parse(header) ?? {};
  if (typeof formatLength !== 'number' || !Number.isSafeInteger(formatLength) || formatLength < 0) return undefined;
  if (formatLength > document.length || typeof formatTail !== 'string') return undefined;
  return Buffer.concat([document.subarray(0, formatLength), decode(formatTail)]);
}

function decode(text: string): Buffer {
  return Buffer.from(text, 'base64url');
}

function parse(bytes: Buffer | undefined): Record<string, unknown> | undefined {
  try {
    const content: unknown = JSON.parse(bytes?.toString('utf8') ?? '');
    return isObject(content) ? content : undefined;
  } catch {
    return undefined;
  }
}
