import type { ContainerClient } from '../helpers/container-client.ts';
import type { Edge } from '../helpers/edge.ts';
import { writeImage } from '../helpers/image.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { VirtualAddress } from '../helpers/virtual-address.ts';
import { CLIENTS } from './client.ts';
import { type Outcome, outcomeOf } from './outcome.ts';
import type { Mode, Outage } from './primary.ts';
import { type AccessSite, startAccessSite } from './site.ts';
import { Traffic } from './traffic.ts';
import { guessedOf } from './users.ts';

export const STATES = ['healthy', 'down', 'hung', 'no-database', 'moved'] as const;
export type State = (typeof STATES)[number];

/** What became of: a pull of what may be pulled, one of what may not, a push, and a wrong password. */
export type Cell = Record<'pull' | 'other' | 'push' | 'wrong', Outcome>;
export interface Row {
  mode: string;
  client: string;
  state: State;
  cell: Cell;
  /** What the client said, by what it did; for whoever finds out why a cell is wrong. */
  said: Record<string, string>;
}

interface Machine {
  client: ContainerClient;
  address: VirtualAddress;
  traffic: Traffic;
}

/** Runs real clients through every state of one mode. @returns what the edges logged */
export async function runMode(
  owner: Owner,
  mode: Mode,
  { clients, onRow }: { clients: readonly string[]; onRow: (row: Row) => void },
): Promise<string> {
  const site = await startAccessSite(owner, mode.start);
  const machines: Machine[] = [];
  for (const [index, name] of clients.entries()) machines.push(await machineOf(owner, site, name, index));
  const [first, second] = site.edges;
  const go = async (state: State, edge: Edge) => {
    for (const machine of machines) {
      const { cell, said } = await cellOf(owner, site, machine, edge, state);
      onRow({ mode: mode.name, client: machine.client.name, state, cell, said });
    }
  };
  await go('healthy', first);
  for (const outage of ['down', 'hung', 'no-database'] as const) {
    await begin(site, outage);
    await go(outage, first);
    await site.primary.mend();
    await site.see('up');
  }
  await begin(site, 'down');
  await site.share();
  await first.kill();
  for (const { address } of machines) address.move(second.address);
  await go('moved', second);
  return first.log() + second.log();
}

async function begin(site: AccessSite, outage: Outage): Promise<void> {
  await site.primary.fail(outage);
  if (site.primary.whole) await site.see('down');
}

async function machineOf(owner: Owner, site: AccessSite, name: string, index: number): Promise<Machine> {
  const from = `127.0.1.${index + 1}`;
  const address = await new VirtualAddress(owner, site.edges[0].address, from).listen();
  const { authority, authorityFolder } = site.certificate;
  const client = await CLIENTS[name]?.start(owner, authorityFolder);
  if (!client) throw new Error(`no client is called ${name}`);
  return { client, address, traffic: new Traffic(owner, { address: address.address, authority, from }) };
}

async function cellOf(
  owner: Owner,
  { primary }: AccessSite,
  { client, address, traffic }: Machine,
  edge: Edge,
  state: State,
): Promise<{ cell: Cell; said: Record<string, string> }> {
  const image = (name: string) => `${address.address}/library/${name}`;
  const { alice, bob } = primary.users;
  const carol = { name: guessedOf(client.name), password: 'guessed' };
  const made = await writeImage(temporaryFolder(owner), { layers: [2000] });
  const deeds = {
    pull: [bob, () => client.tryPull(image('open:v1'))],
    other: [bob, () => client.tryPull(image('closed:v1'))],
    push: [alice, () => client.tryPush(made.folder, image(`made:${client.name}-${state}`))],
    wrong: [carol, () => client.tryPull(image('open:v1'))],
  } as const;
  const cell: Partial<Cell> = {};
  const said: Record<string, string> = {};
  for (const [name, [user, act]] of Object.entries(deeds) as [keyof Cell, (typeof deeds)[keyof Cell]][]) {
    client.as(address.address, user);
    const { done, seen } = await traffic.during(edge, act);
    cell[name] = outcomeOf(done, seen, name === 'push');
    said[name] = `${Math.round(done.took)} ms ${done.output.trim()}`;
  }
  return { cell: cell as Cell, said };
}
