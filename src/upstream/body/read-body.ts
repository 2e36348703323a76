import type { Readable } from 'node:stream';
import { UpstreamError } from '../upstream-error.ts';

/**
 * Reads a small body whole.
 * @param max bytes
 * @throws UpstreamError too-large
 */
export async function readBody(body: Readable, max: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > max) throw new UpstreamError('too-large', `the answer is longer than ${max} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/**
 * Reads a small JSON body whole; undefined when the body is not JSON.
 * @param max bytes
 * @throws UpstreamError too-large
 */
export async function readJson(body: Readable, max: number): Promise<unknown> {
  return parseJson(await readBody(body, max));
}

/** Undefined when the bytes are not JSON. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
