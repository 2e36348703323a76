import { get } from 'node:https';
import { rootCertificates } from 'node:tls';

const TIMEOUT_MS = 5_000;
const MAX_BYTES = 65_536;

/**
 * Asks for the directory of an ACME server.
 * @param ca further CAs, PEM
 * @returns what is wrong with its answer; undefined: nothing. @throws Error of the connection
 */
export function askDirectory(directory: string, ca: string | undefined): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const options = { timeout: TIMEOUT_MS, ...(ca === undefined ? {} : { ca: authorities(ca) }) };
    const request = get(directory, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.length <= MAX_BYTES) return;
        resolve('its answer is too long');
        request.destroy();
      });
      response
        .on('end', () => resolve(isDirectory(text) ? undefined : `status ${response.statusCode}, and no directory`))
        .on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time'))).on('error', reject);
  });
}

/** The usual CAs, and a private one. */
export function authorities(ca: string): string[] {
  return [...rootCertificates, ca];
}

function isDirectory(text: string): boolean {
  try {
    return typeof JSON.parse(text).newOrder === 'string';
  } catch {
    return false;
  }
}
