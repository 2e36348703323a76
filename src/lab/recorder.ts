import type { IncomingMessage, ServerResponse } from 'node:http';
import type { LabKind } from './fault.ts';

/** One request as it came. */
export interface LabRequest {
  method: string;
  /** Path and query as sent. */
  url: string;
  kind: LabKind;
  /** Names in lower case, as Node reads them. */
  headers: IncomingMessage['headers'];
  /** 0 while unanswered, and for ever if the client left or the registry fell silent first. */
  status: number;
}

const READS = ['GET', 'HEAD'];

/** Remembers the last requests, and counts those that write. */
export class Recorder {
  readonly #limit: number;
  requests: LabRequest[] = [];
  writes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(req: IncomingMessage, res: ServerResponse, kind: LabKind): void {
    const method = req.method ?? '';
    const request = { method, url: req.url ?? '', kind, headers: req.headers, status: 0 };
    if (!READS.includes(method)) this.writes += 1;
    this.requests.push(request);
    if (this.requests.length > this.#limit) this.requests.shift();
    for (const event of ['finish', 'close'])
      res.once(event, () => {
        if (res.headersSent) request.status = res.statusCode;
      });
  }

  clear(): void {
    this.requests = [];
    this.writes = 0;
  }
}
