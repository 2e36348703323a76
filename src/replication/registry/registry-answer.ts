import { readBody } from '../../upstream/body/read-body.ts';
import type { Answer } from '../../upstream/client.ts';

const MAX_ERROR = 16_384;

/** Reads an answer to its end. @returns the first message in the body of an error (distribution-spec "Error Codes"), on one line */
export async function saidBy(answer: Answer): Promise<string> {
  if (answer.status < 400) {
    await answer.body.dump({ limit: MAX_ERROR });
    return '';
  }
  const text = (await readBody(answer.body, MAX_ERROR).catch(() => Buffer.alloc(0))).toString('utf8');
  const [, message = ''] = /"message"\s*:\s*"((?:[^"\\]|\\.){0,300})/.exec(text) ?? [];
  return message.replace(/[^\x20-\x7e]/g, ' ');
}
