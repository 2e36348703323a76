import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from '../../helpers/program.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tool } from '../../helpers/tool.ts';

// Node has no unix datagrams. Perl is in every Debian; descriptors that come with a message are closed, which is what a barrier waits for.
const SCRIPT = `use Socket; $| = 1;
socket(S, AF_UNIX, SOCK_DGRAM, 0) or die $!; bind(S, sockaddr_un($ARGV[0])) or die $!; print "bound\\n";
while (defined recv(S, $b, 4096, 0)) { $b =~ s/\\n/ /g; print "$b\\n"; }
`;

/** A real datagram socket for NOTIFY_SOCKET, in place of the service manager's. */
export class NotifyReceiver {
  readonly path: string;
  readonly #program: Program;
  readonly #log: string;

  constructor(owner: Owner) {
    const folder = temporaryFolder(owner);
    this.path = join(folder, 'notify');
    this.#log = join(folder, 'log');
    writeFileSync(join(folder, 'receive.pl'), SCRIPT);
    this.#program = new Program(owner, {
      command: tool('perl'),
      args: [join(folder, 'receive.pl'), this.path],
      logFile: this.#log,
    });
  }

  async start(): Promise<this> {
    this.#program.start();
    await this.#program.waitForLog(/^bound$/m);
    return this;
  }

  /** Messages without barriers, oldest first. */
  messages(): string[] {
    const lines = readFileSync(this.#log, 'utf8').split('\n').slice(1, -1);
    return lines.map((line) => line.trim()).filter((line) => line !== 'BARRIER=1');
  }

  async waitFor(pattern: RegExp): Promise<void> {
    await this.#program.waitForLog(pattern);
  }
}
