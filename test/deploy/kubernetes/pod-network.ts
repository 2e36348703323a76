import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command, tryCommand } from '../../helpers/command.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { tool } from '../../helpers/tool.ts';

/** Two network namespaces that reach each other and nothing else: the network of two pods. */
export class PodNetwork {
  static readonly ADDRESSES = ['10.213.0.1', '10.213.0.2'] as const;
  static readonly TOOLS = ['ip', 'unshare', 'curl'];
  readonly #names: readonly [string, string];
  readonly #hosts: string;

  /** @param services names that lead to both pods, as headless Services do */
  constructor(owner: Owner, services: readonly string[]) {
    const prefix = `bw-${randomBytes(4).toString('hex')}`;
    this.#names = [`${prefix}-0`, `${prefix}-1`];
    this.#hosts = join(temporaryFolder(owner), 'hosts');
    const lines = services.flatMap((name) => PodNetwork.ADDRESSES.map((address) => `${address} ${name}\n`));
    writeFileSync(this.#hosts, `127.0.0.1 localhost\n${lines.join('')}`);
    for (const name of this.#names) owner.teardown(() => tryCommand(tool('ip'), ['netns', 'delete', name]));
  }

  async start(): Promise<this> {
    const [one, other] = this.#names;
    for (const name of this.#names) await command(tool('ip'), ['netns', 'add', name]);
    await command(tool('ip'), [
      '-n',
      one,
      'link',
      'add',
      'eth0',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      other,
    ]);
    for (const [pod, name] of this.#names.entries()) {
      await command(tool('ip'), ['-n', name, 'address', 'add', `${PodNetwork.ADDRESSES[pod]}/24`, 'dev', 'eth0']);
      for (const device of ['lo', 'eth0']) await command(tool('ip'), ['-n', name, 'link', 'set', device, 'up']);
    }
    return this;
  }

  /** The words that run a program in a pod. */
  inPod(pod: 0 | 1, ...words: readonly string[]): [command: string, ...args: string[]] {
    const bind = 'mount --bind "$0" /etc/hosts && exec "$@"';
    const inside = [tool('unshare'), '--mount', 'sh', '-c', bind, this.#hosts, ...words];
    return [tool('ip'), 'netns', 'exec', this.#names[pod], ...inside];
  }

  /** Asks an URL from the other pod. @returns the status, `000` if nothing answers */
  async statusOf(url: string, from: 0 | 1, ...options: readonly string[]): Promise<string> {
    const curl = [tool('curl'), '--silent', '--max-time', '5', '--output', '/dev/null', '--write-out', '%{http_code}'];
    const [program, ...args] = this.inPod(from, ...curl, ...options, url);
    return (await tryCommand(program, args)).stdout;
  }
}
