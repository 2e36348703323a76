// The worker thread of hasher.ts. Not TypeScript, because a thread that strips types takes 10 MB and 25 ms more to
// start.
import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

const port = parentPort;
/** @type {Map<number, import('node:crypto').Hash>} */
const hashes = new Map();

port?.on('message', (/** @type {import('./hash-batch.ts').HashBatch} */ { begun, jobs, pieces, finished, dropped }) => {
  for (const [job, algorithm] of begun) hashes.set(job, createHash(algorithm));
  for (const [index, piece] of pieces.entries()) hashOf(jobs[index]).update(piece);
  /** @type {import('./hash-batch.ts').HashReply} */
  const reply = [];
  for (const job of finished) {
    reply.push([job, hashOf(job).digest('hex')]);
    hashes.delete(job);
  }
  for (const job of dropped) hashes.delete(job);
  port.postMessage(reply);
});

/**
 * An unknown job is a mistake after which no digest can be trusted. The thread dies of it, and its jobs end as
 * unavailable.
 * @param {number | undefined} job
 */
function hashOf(job) {
  const hash = job === undefined ? undefined : hashes.get(job);
  if (!hash) throw new Error(`hash job ${job} is not known`);
  return hash;
}
