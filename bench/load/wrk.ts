import type { Owner } from '../../test/helpers/temporary-folder.ts';
import { MANIFEST_TYPE } from '../upstreams/static-registry.ts';
import { runProgram } from './run-program.ts';

export interface WrkResult {
  requests: number;
  perSecond: number;
  p99Ms: number;
}

const CONNECTIONS = 32;

/** Sends requests for one URL over 32 keep-alive connections, each as soon as the last is answered. @param seconds duration */
export async function wrk(owner: Owner, folder: string, url: string, seconds: number): Promise<WrkResult> {
  const load = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--timeout', '5s', '--latency'];
  return parseWrk(await runProgram(owner, folder, 'wrk', [...load, '-H', `Accept: ${MANIFEST_TYPE}`, url]));
}

/** @throws Error if any request failed */
export function parseWrk(output: string): WrkResult {
  const bad = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(output);
  if (bad) throw new Error(`wrk: ${bad[0]}\n${output}`);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]);
  const [, p99, unit = ''] = /99%\s+([\d.]+)(us|ms|s)\s/.exec(output) ?? [];
  return { requests, perSecond, p99Ms: Number(p99) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? Number.NaN) };
}
