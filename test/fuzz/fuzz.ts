import type { Owner } from '../helpers/temporary-folder.ts';
import { type Ports, play } from './connection.ts';
import { type FuzzMode, FuzzSite } from './fuzz-site.ts';
import { http1Script } from './http1-script.ts';
import { http2Script } from './http2-script.ts';
import { Random } from './random.ts';
import type { Known } from './request-parts.ts';
import type { Script } from './script.ts';

export interface FuzzOptions {
  /** `auth.mode` of the edge. */
  mode: FuzzMode;
  seed: number;
  /** Requests to make, at least. */
  requests: number;
  /** Number of the first script. Each script depends on its number and the seed only. */
  from?: number;
  /** Called after each batch that went well. */
  onBatch?: (done: FuzzProgress) => void;
}

export interface FuzzProgress {
  requests: number;
  /** Number of the next script. */
  script: number;
  /** Connections by the beginning of what came back: a status, a frame of HTTP/2, or nothing. */
  replies: Record<string, number>;
}

/** What went wrong, and the scripts of the batch that caused it. */
export class FuzzFinding extends Error {
  constructor(mode: FuzzMode, seed: number, first: number, next: number, findings: readonly string[]) {
    super(`mode ${mode}, seed ${seed}, scripts ${first} to ${next - 1}:\n${findings.join('\n')}`);
  }
}

/** Connections between two checks. The slowest one takes seconds, and a batch waits for it. */
const BATCH = 500;
/** Connections at once. Most of them wait. */
const PARALLEL = 40;
/** Clients by address. */
const CLIENTS = 8;

/** Makes random requests of an edge until there were enough, and checks the edge after each batch. @throws FuzzFinding */
export async function fuzz(
  owner: Owner,
  { mode, seed, requests, from = 0, onBatch }: FuzzOptions,
): Promise<FuzzProgress> {
  const site = await FuzzSite.start(owner, mode);
  const { ports, known } = site;
  const done: FuzzProgress = { requests: 0, script: from, replies: {} };
  while (done.requests < requests) {
    const first = done.script;
    await site.disturb(new Random(seed, -1 - first));
    const numbers = Array.from({ length: BATCH }, (_, index) => first + index).values();
    const odd: string[] = [];
    const worker = async () => {
      for (const number of numbers) odd.push(...(await playOne(done, scriptOf(seed, number, known), ports, number)));
    };
    await Promise.all(Array.from({ length: PARALLEL }, worker));
    done.script = first + BATCH;
    const findings = [...odd, ...(await site.findings())];
    if (findings.length > 0) throw new FuzzFinding(mode, seed, first, done.script, findings);
    onBatch?.(done);
  }
  await site.stop();
  return done;
}

/** @returns what is wrong with the replies */
async function playOne(done: FuzzProgress, script: Script, ports: Ports, number: number): Promise<string[]> {
  // The checks of the edge come from 127.0.0.1, and must not wait for the wrong passwords of the scripts.
  const reply = await play(script, ports, `127.0.0.${2 + (number % CLIENTS)}`);
  done.requests += script.requests;
  const kind = `${script.listener} ${script.protocol} ${kindOf(script, reply)}`;
  done.replies[kind] = (done.replies[kind] ?? 0) + 1;
  return hasBodyAfterHead(script, reply) ? [`script ${number}: the reply to HEAD has a body: ${reply}`] : [];
}

/** Whether the reply to the first request, a HEAD, is followed by anything but the next reply. */
export function hasBodyAfterHead({ protocol, writes }: Pick<Script, 'protocol' | 'writes'>, reply: string): boolean {
  const text = Buffer.concat(writes).toString('latin1', 0, 64);
  if (protocol !== 'HTTP/1.1' || !/^[\r\n]*HEAD /.test(text)) return false;
  const [, rest = ''] = /^(?:HTTP\/1\.1 1\d\d [\s\S]*?\r\n\r\n)*HTTP[\s\S]*?\r\n\r\n([\s\S]*)$/.exec(reply) ?? [];
  return rest !== '' && !rest.startsWith('HTTP/1.1 ');
}

function kindOf({ protocol }: Script, reply: string): string {
  if (reply === '') return 'nothing';
  return protocol === 'HTTP/2' ? 'frames' : (/^HTTP\/1\.1 (\d{3}) /.exec(reply)?.[1] ?? 'odd');
}

/** The script of a number: the same for the same seed. */
export function scriptOf(seed: number, number: number, known: Known): Script {
  const random = new Random(seed, number);
  const listener = random.pick(['https', 'https', 'https', 'plain', 'admin', 'admin', 'redirect'] as const);
  if (listener === 'https' && random.oneIn(2)) return http2Script(random, known);
  return http1Script(random, listener, known);
}
