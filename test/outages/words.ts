import type { Finished } from '../helpers/command.ts';

/** What a user of a client met. */
export interface Met {
  /** Milliseconds. */
  took: number;
  ok: boolean;
  /** The lines of the client's output that tell why, without what differs from run to run. */
  words: string;
  /** Whether the words of Breakwater are among them. */
  told: boolean;
}

/** What Breakwater says about a pull that it cannot serve, or a push that it does not take. */
const REASON = /cannot be served now|does not have .*which may|pushes are refused|failed in the middle of the push/;

/** @param address of the edge, as this client has it */
export function metBy({ status, took, output }: Finished, address: string): Met {
  if (status === 0) return { took, ok: true, words: '', told: false };
  const lines = steady(output, address).split('\n').filter(Boolean);
  const telling = lines.findLast((line) => REASON.test(line));
  return { took, ok: false, words: telling ?? lines.at(-1) ?? '', told: telling !== undefined };
}

/** The same for every run: no address, time, digest or folder of this machine. */
function steady(output: string, address: string): string {
  return (
    output
      .replaceAll(address, 'cr.example.io')
      .replace(/\b127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
      .replace(/\/tmp\/[\w./-]+/g, '/tmp/…')
      .replace(/time="[^"]*" |time=\S+ |\[\d{4}-[^\]]*Z\](?=\[)/g, '')
      // Colours of a terminal.
      .replace(/\x1b\[[\d;]*m/g, '')
      .replace(/\b\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z? /g, '')
      .replace(/\b[EIW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ /g, '')
      .replace(/since \d\d:\d\d(:\d\d)? UTC/g, 'since HH:MM UTC')
      .replace(/since \d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?( UTC|Z)/g, 'since HH:MM UTC')
      .replace(/\bsha256:[0-9a-f]{64}\b/g, 'sha256:…')
      .replace(/\(request [0-9a-z]+\)/g, '(request …)')
      .replaceAll('\r', '\n')
      .trim()
  );
}
