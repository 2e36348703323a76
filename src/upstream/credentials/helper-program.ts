import { readClocks } from '../../clock/clock.ts';
import { isToken } from '../../config/material-reader.ts';
import { runProgram } from '../../http/run-program.ts';
import { secretExpiry } from './harbor-account.ts';
import type { GivenLogin } from './renewed-user.ts';

// The protocol of credential helpers: github.com/docker/docker-credential-helpers (README, "Development", November 2026).

/** Milliseconds for a run. */
const RUN_MS = 10_000;
/** Bytes of output. */
const MAX_OUTPUT = 65_536;
const MAX_NAME = 256;
/** What helpers print in place of credentials. Other output is never shown, because it may hold the secret. */
const KNOWN_ERRORS = [
  'credentials not found in native keychain',
  'no credentials server URL',
  'no credentials username',
  'credentials server URL is missing',
];

export interface HelperOptions {
  /** NAME of docker-credential-NAME. */
  helper: string;
  /** What it is asked for. */
  server: string;
  /** Milliseconds for a run. Default: 10 s. */
  runMs?: number;
  /** Of this process. Only PATH and HOME reach the program. */
  environment?: NodeJS.ProcessEnv;
}

/** Runs `docker-credential-NAME get`. @throws Error that says what was expected, and what to do, without the output */
export async function runHelper(options: HelperOptions, signal: AbortSignal): Promise<GivenLogin> {
  const program = `docker-credential-${options.helper}`;
  const byHand = `try: echo ${options.server} | ${program} get, as the user that runs Breakwater`;
  const { output, status } = await outputOf(program, options, signal).catch((error: Error) => {
    throw new Error(`${error.message}; ${byHand}`);
  });
  const text = output.toString('utf8').trim();
  if (status !== 0) {
    const known = KNOWN_ERRORS.find((one) => text.startsWith(one));
    throw new Error(`${program} ended with ${status} for ${options.server}${known ? `: ${known}` : ''}; ${byHand}`);
  }
  const login = loginIn(text);
  if (login) return login;
  throw new Error(`${program} printed no JSON with a Username and a Secret for ${options.server}; ${byHand}`);
}

function loginIn(text: string): GivenLogin | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { Username: username, Secret: password } = answer as Record<string, unknown>;
  if (typeof username !== 'string' || typeof password !== 'string' || password === '') return undefined;
  if (username === '' || username.length > MAX_NAME || /[\x00-\x1f\x7f:]/.test(username)) return undefined;
  if (username === '<token>' && !isToken(password)) return undefined;
  const end = secretExpiry(password);
  return { username, password, endsInMs: typeof end === 'number' ? end - readClocks().wall : undefined };
}

interface Ended {
  output: Buffer;
  /** An exit status, or a signal. */
  status: number | string;
}

async function outputOf(
  program: string,
  { server, runMs = RUN_MS, environment = process.env }: HelperOptions,
  signal: AbortSignal,
): Promise<Ended> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const take = (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    return bytes <= MAX_OUTPUT;
  };
  const end = await runProgram({
    ...{ program, args: ['get'], environment, cwd: '/', input: server, withErrors: false },
    ...{ take, timeout: runMs, signal },
  });
  switch (end.how) {
    case 'ended':
      return { output: Buffer.concat(chunks), status: end.status };
    case 'late':
      throw new Error(`${program} did not end within ${runMs / 1000} s`);
    case 'stopped':
      throw new Error(`${program} was stopped`);
    case 'flooded':
      throw new Error(`${program} printed more than ${MAX_OUTPUT} bytes`);
    case 'not started':
      throw new Error(`${program} ${startProblem(end.code)}`);
  }
}

function startProblem(code: string): string {
  if (code === 'ENOENT') return 'is not in a folder of PATH; install it there';
  if (code === 'EACCES') return 'may not be run; make it executable for the user that runs Breakwater';
  if (code === 'EMFILE' || code === 'ENFILE')
    return `cannot be started, because no descriptors are left; raise ${code === 'EMFILE' ? 'LimitNOFILE' : 'fs.file-max'}`;
  return `cannot be run (${code})`;
}
