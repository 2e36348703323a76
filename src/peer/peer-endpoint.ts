import type { IncomingMessage, ServerResponse } from 'node:http';
import { resetAfterReply } from '../http/reset-after-reply.ts';
import { streamOf, writeAnswer, writeHead } from '../http/write-answer.ts';
import { OciError } from '../oci/error.ts';
import { PEER_PATH } from './peer-client.ts';
import type { StandingAnswer } from './peer-marks.ts';

/** Most characters of a question. */
const MAX_QUESTION = 8192;

const NOT_A_PEER = new OciError('DENIED', 'only the other edges of this site may ask here');

/** Whether a request belongs to the peer protocol. */
export function isPeerQuestion({ method, url }: Pick<IncomingMessage, 'method' | 'url'>): boolean {
  return method === 'POST' && url === PEER_PATH;
}

/**
 * Answers the question of another edge. Never rejects.
 * @param answer gives undefined for a question from outside the site
 * @param expectsContinue the peer sent `Expect: 100-continue` and waits
 */
export async function answerPeer(
  answer: (text: string, standing: StandingAnswer) => Promise<string | undefined>,
  request: IncomingMessage,
  response: ServerResponse,
  expectsContinue: boolean,
): Promise<void> {
  try {
    if (expectsContinue) response.writeContinue();
    const text = await readQuestion(request);
    const answered =
      text === undefined
        ? undefined
        : await answer(text, standingAnswer(response, request.socket.remoteAddress?.replace(/^::ffff:/, '')));
    if (answered === undefined) refuse(response, NOT_A_PEER);
    else if (response.headersSent) response.end(answered);
    else {
      const headers = { 'content-type': 'application/jose', 'content-length': String(answered.length) };
      writeAnswer(response, { status: 200, headers, body: answered });
    }
  } catch (error) {
    if (error instanceof OciError && !response.headersSent) refuse(response, error);
    // The peer is gone, or cannot use this error; it asks again.
    else response.destroy();
  }
}

/** The head of the answer leaves with the first mark, and the body ends with the sealed answer. */
function standingAnswer(response: ServerResponse, from = 'an unknown address'): StandingAnswer {
  return {
    from,
    mark: (mark) => {
      if (!response.headersSent) writeHead(response, { status: 200, headers: { 'content-type': 'application/jose' } });
      response.write(mark);
    },
    onClose: (callback) => void response.once('close', callback),
  };
}

async function readQuestion(request: IncomingMessage): Promise<string | undefined> {
  let text = '';
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    text += chunk.toString('latin1');
    if (text.length > MAX_QUESTION) return undefined;
  }
  return text;
}

function refuse(response: ServerResponse, error: OciError): void {
  const body = error.body();
  // The rest of an oversized question is not read.
  response.shouldKeepAlive = false;
  const described = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
  writeAnswer(response, { status: error.status, headers: { ...described, ...error.headers }, body });
  // Over HTTP/2 the stream would stay open for the rest.
  const stream = streamOf(response);
  if (!stream) return;
  resetAfterReply(stream);
  response.req.resume();
}
