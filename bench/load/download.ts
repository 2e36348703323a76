import type { Owner } from '../../test/helpers/temporary-folder.ts';
import { runProgram } from './run-program.ts';

/** Bytes per second of so many parallel downloads, each by a real curl. A download that is cut short is an error. */
export async function download(
  owner: Owner,
  folder: string,
  { url, bytes, downloads }: { url: string; bytes: number; downloads: number },
): Promise<number> {
  const args = [
    ...['--silent', '--show-error', '--fail', '--insecure', '--http1.1', '--tls13-ciphers', 'TLS_AES_128_GCM_SHA256'],
    ...['--max-time', '300', '--output', '/dev/null', '--write-out', '%{size_download} %{time_total}', url],
  ];
  const runs = await Promise.all(Array.from({ length: downloads }, () => runProgram(owner, folder, 'curl', args)));
  const ends = runs.map((output) => {
    const [size, seconds] = output.trim().split(' ').map(Number);
    if (size !== bytes) throw new Error(`curl ${url}: ${size} bytes of ${bytes}\n${output}`);
    return seconds ?? Number.NaN;
  });
  // The time of the slowest curl, so that starting the processes does not count.
  return (bytes * downloads) / Math.max(...ends);
}
