import { Readable } from 'node:stream';
import type { Answer } from '../../src/upstream/client.ts';
import { HeaderList } from '../../src/upstream/header-list.ts';
import type { ProbeGet } from '../../src/upstream/health/byte-range-probe.ts';

export interface Scripted {
  status?: number;
  headers?: Record<string, string>;
  body?: string | Buffer | object;
}

export interface Asked {
  path: string;
  headers: Record<string, string>;
  scopes: string[] | 'api';
  method: string;
}

/** An answer as a client gives it, without a network. */
export function madeAnswer({ status = 200, headers = {}, body = '' }: Scripted): Answer {
  const bytes =
    typeof body === 'string' || Buffer.isBuffer(body) ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
  const stream = Readable.from(bytes.length > 0 ? [bytes] : []);
  const dump = async () => void stream.destroy();
  return { status, headers: new HeaderList(Object.entries(headers)), body: Object.assign(stream, { dump }) };
}

/** Answers by path, or by `HEAD path`; an Error is thrown, what is not in the table is 404. */
export function scriptedGet(table: Record<string, Scripted | Error>): { get: ProbeGet; asked: Asked[] } {
  const asked: Asked[] = [];
  const get: ProbeGet = async (path, headers, scopes, method = 'GET') => {
    asked.push({ path, headers, scopes, method });
    const answer = table[`${method} ${path}`] ?? table[path] ?? { status: 404 };
    if (answer instanceof Error) throw answer;
    return madeAnswer(answer);
  };
  return { get, asked };
}
