import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { startEdge } from '../helpers/edge.ts';
import { LARGE_BLOB, startLargeBlob } from '../helpers/large-blob.ts';
import { until } from '../helpers/until.ts';

const READERS = Number(process.env.READERS ?? 150);

/** Resident memory of a process in bytes. */
function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

/** A client that begins to read a blob and then takes nothing. */
async function slowReader(url: string, agent: https.Agent): Promise<IncomingMessage> {
  const [res]: [IncomingMessage] = (await once(https.get(url, { agent }), 'response')) as never;
  res.on('error', () => {});
  await once(res, 'readable');
  return res;
}

t.test('memory that slow readers took is given back', { skip: process.platform !== 'linux' }, async (t) => {
  const upstream = await startLargeBlob(t);
  const edge = await startEdge(t, {
    upstreams: { upstream: { urls: [upstream], maxInFlight: { data: 2 * READERS } } },
    routes: [{ prefix: '', pull: [{ upstream: 'upstream' }] }],
  });
  const agent = new https.Agent({ rejectUnauthorized: false });
  const url = `${edge.url}/v2/${LARGE_BLOB}`;
  // Everything that a first pull loads is there before.
  (await slowReader(url, agent)).destroy();
  await delay(1_000);
  const before = residentBytes(edge.pid);

  const readers = await Promise.all(Array.from({ length: READERS }, () => slowReader(url, agent)));
  await delay(2_000);
  const during = residentBytes(edge.pid);
  t.ok(during > 1.3 * before, `${READERS} slow readers take memory: ${before} bytes before, ${during} during`);
  for (const reader of readers) reader.destroy();
  await until(() => residentBytes(edge.pid) < 1.3 * before, {
    timeout: 70_000,
    every: 500,
    what: () => `memory: ${before} bytes before, ${during} during, ${residentBytes(edge.pid)} now`,
  });
  t.notMatch(edge.log(), /Node\.js warns/, 'and the log is not troubled');
});
