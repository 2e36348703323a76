import type { Reply } from './http1-client.ts';

export interface Part {
  first: number;
  last: number;
  total: number;
  bytes: Buffer;
}

/** The parts of a `multipart/byteranges` body, by RFC 2046. Throws where it is anything else. */
export function partsOf({ headers, body }: Pick<Reply, 'headers' | 'body'>): Part[] {
  const type = String(headers['content-type']);
  const boundary = /^multipart\/byteranges; boundary=([A-Za-z0-9]{1,70})$/.exec(type)?.[1];
  if (!boundary) throw new Error(`no multipart body: ${type}`);
  const text = body.toString('latin1');
  const pieces = text.split(`\r\n--${boundary}`);
  const [preamble, ...rest] = pieces;
  if (preamble !== '' || rest.pop() !== '--\r\n') throw new Error('the body does not begin or end as it should');
  return rest.map((piece) => {
    const end = piece.indexOf('\r\n\r\n');
    const head = piece.slice(0, end);
    const range = /^\r\nContent-Type: [^\r]+\r\nContent-Range: bytes (\d+)-(\d+)\/(\d+)$/.exec(head);
    if (!range) throw new Error(`a part has the head ${JSON.stringify(head)}`);
    const [first, last, total] = [Number(range[1]), Number(range[2]), Number(range[3])];
    return { first, last, total, bytes: Buffer.from(piece.slice(end + 4), 'latin1') };
  });
}
