import type { Owner } from '../../test/helpers/temporary-folder.ts';
import { runProgram } from './run-program.ts';

const TIMED_OUT = 28;

export interface SlowClients {
  url: string;
  count: number;
  /** Bytes a second of each client. */
  rate: number;
  seconds: number;
}

/**
 * Parallel downloads by one curl, each with a limited rate over a connection of its own. @returns bytes received in all; fails if they
 * are less than a quarter of the expected bytes
 */
export async function slowClients(
  owner: Owner,
  folder: string,
  { url, count, rate, seconds }: SlowClients,
): Promise<number> {
  const args = [
    ...['--silent', '--no-progress-meter', '--insecure', '--http1.1', '--tls13-ciphers', 'TLS_AES_128_GCM_SHA256'],
    ...['--parallel', '--parallel-immediate', '--parallel-max', String(count), '--limit-rate', String(rate)],
    ...['--max-time', String(seconds), '--write-out', '%{size_download}\n'],
    ...Array.from({ length: count }, () => ['--output', '/dev/null', url]).flat(),
  ];
  const output = await runProgram(owner, folder, 'curl', args, [0, TIMED_OUT]);
  const bytes = output
    .split('\n')
    .filter((line) => /^\d+$/.test(line))
    .map(Number)
    .reduce((sum, size) => sum + size, 0);
  const expected = count * rate * seconds;
  if (!(bytes > expected / 4)) throw new Error(`slow clients of ${url}: ${bytes} bytes in place of ${expected}`);
  return bytes;
}
