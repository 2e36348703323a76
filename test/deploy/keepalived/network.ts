import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { command } from '../../helpers/command.ts';
import { tool } from '../../helpers/tool.ts';

/** What runs in namespaces of its own: all of it is gone with the first process, however that ends. */
export const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

const LAN = '10.77.0';
/** Addresses of the machines of the site, on one network. */
export const ADDRESSES = {
  vip: `${LAN}.9`,
  a: `${LAN}.1`,
  b: `${LAN}.2`,
  primary: `${LAN}.10`,
  cloud: `${LAN}.20`,
  clients: `${LAN}.100`,
} as const;

const BRIDGE = 'lan';

export async function ip(...args: string[]): Promise<string> {
  return (await command(tool('ip'), args)).stdout;
}

/** The network of the registries and clients, in the namespace of this process, which must be new. `/etc` may be changed, too. */
export async function makeLan(folder: string): Promise<void> {
  await command('mount', ['--make-rprivate', '/']);
  await command('mount', ['-t', 'tmpfs', 'none', folder]);
  const [upper, work] = [join(folder, 'upper'), join(folder, 'work')];
  for (const one of [upper, work]) mkdirSync(one);
  await command('mount', ['-t', 'overlay', 'none', '-o', `lowerdir=/etc,upperdir=${upper},workdir=${work}`, '/etc']);
  await ip('link', 'set', 'lo', 'up');
  await ip('link', 'add', BRIDGE, 'type', 'bridge', 'forward_delay', '0');
  for (const address of [ADDRESSES.clients, ADDRESSES.primary, ADDRESSES.cloud])
    await ip('address', 'add', `${address}/24`, 'dev', BRIDGE);
  await ip('link', 'set', BRIDGE, 'up');
}

/** Plugs a machine into the network. @param pid of a process in its namespaces */
export async function plugIn(name: string, pid: number, address: string): Promise<void> {
  await ip(...['link', 'add', name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid)]);
  await ip('link', 'set', name, 'master', BRIDGE, 'up');
  const there = ['--target', String(pid), '--net', tool('ip')];
  await command('nsenter', [...there, 'link', 'set', 'lo', 'up']);
  await command('nsenter', [...there, 'address', 'add', `${address}/24`, 'dev', 'eth0']);
  await command('nsenter', [...there, 'link', 'set', 'eth0', 'up']);
}

/** Pulls the plug of a machine out, or puts it in again. */
export async function setPlug(name: string, state: 'up' | 'down'): Promise<void> {
  await ip('link', 'set', name, state);
}
