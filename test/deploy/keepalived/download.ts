import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import type { Target } from './traffic.ts';

export interface Download {
  digest: string;
  bytes: number;
  /** For each answer: which byte it began with, and how it ended. Undefined: whole. */
  parts: { from: number; ended: number; error: string | undefined }[];
}

export interface DownloadOptions {
  /** Bytes a second at which the client reads. */
  rate: number;
  /** How often it is begun again, where it broke off. */
  retries: number;
  /** Milliseconds without a byte after which the client gives an answer up. */
  idle?: number;
}

/** A slow client that loads a blob, and resumes it by Range where it breaks off. */
export async function download({ url, authority }: Target, path: string, options: DownloadOptions): Promise<Download> {
  const { rate, retries, idle = 30_000 } = options;
  const hash = createHash('sha256');
  const result: Download = { digest: '', bytes: 0, parts: [] };
  for (let count = 0; count <= retries; count += 1) {
    const from = result.bytes;
    const agent = new Agent({ ca: authority, keepAlive: false });
    try {
      const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
      const call = request(new URL(path, url), { agent, headers, timeout: idle });
      // Without a listener, an error that comes after the headers would end the process. The body's own error ends the loop below.
      call.on('error', () => undefined);
      call.on('timeout', () => call.destroy(new Error(`no byte for ${idle} ms`)));
      const [response]: [IncomingMessage] = (await once(call.end(), 'response')) as never;
      if (response.statusCode !== (from > 0 ? 206 : 200)) throw new Error(`status ${response.statusCode}`);
      const began = performance.now();
      for await (const chunk of response) {
        hash.update(chunk);
        result.bytes += chunk.length;
        const ahead = ((result.bytes - from) / rate) * 1000 - (performance.now() - began);
        if (ahead > 20) await delay(ahead);
      }
      result.parts.push({ from, ended: performance.now(), error: undefined });
      break;
    } catch (error) {
      result.parts.push({ from, ended: performance.now(), error: (error as Error).message });
      await delay(200);
    } finally {
      agent.destroy();
    }
  }
  result.digest = `sha256:${hash.digest('hex')}`;
  return result;
}
