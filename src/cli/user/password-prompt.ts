import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { UsageError } from '../config-path.ts';

const MAX_BYTES = 4096;

/** The password from standard input, without its line end. */
export async function passwordFromStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_BYTES) throw new UsageError(`the password is longer than ${MAX_BYTES} bytes`);
  }
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}

/** Asks for a password twice on the terminal, without showing it. @throws UsageError off a terminal, or if the two differ */
export async function askPassword(user: string): Promise<string> {
  if (!process.stdin.isTTY) throw new UsageError('there is no terminal to ask for a password; use --password-stdin');
  const first = await ask(`Password for ${user}: `);
  if ((await ask('Repeat the password: ')) !== first)
    throw new UsageError('the two passwords differ; nothing was changed');
  return first;
}

async function ask(question: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  // Opened before the question is shown: until then, the terminal itself shows what is typed.
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  process.stderr.write(question);
  try {
    return await lines.question('');
  } catch (error) {
    // Ctrl-C and Ctrl-D abort the question.
    if (error instanceof Error && error.name === 'AbortError') throw new UsageError('no password was given');
    throw error;
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
