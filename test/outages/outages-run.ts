import { writeImage } from '../helpers/image.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { VirtualAddress } from '../helpers/virtual-address.ts';
import { CLIENTS, type OutageClient } from './clients.ts';
import { type OutageSite, startOutageSite, waitUntilDown, waitUntilWell } from './site.ts';
import type { State } from './states.ts';
import { type Met, metBy } from './words.ts';

/** What is done in each state: a pull of what both registries have, of what only the primary has, and a push. */
export const OPERATIONS = ['pull', 'new', 'push'] as const;
export type Operation = (typeof OPERATIONS)[number];

export interface Row {
  state: string;
  client: string;
  /** Undefined: the client cannot do it. */
  met: Record<Operation, Met | undefined>;
  /** All that the client said. */
  said: Partial<Record<Operation, string>>;
}

interface Machine {
  client: OutageClient;
  address: string;
}

/** Runs real clients through every state. */
export async function runOutages(
  owner: Owner,
  { clients, states, onRow }: { clients: readonly string[]; states: readonly State[]; onRow: (row: Row) => void },
): Promise<void> {
  const site = await startOutageSite(
    owner,
    states.map(({ key }) => key),
  );
  const machines: Machine[] = [];
  for (const [index, name] of clients.entries()) machines.push(await machineOf(owner, site, name, index));
  for (const state of states) {
    await state.begin(site);
    await waitUntilDown(site, state.down);
    for (const machine of machines) onRow(await rowOf(owner, machine, state.key));
    await state.end(site);
    await waitUntilWell(site);
  }
}

/** Each client has an address of its own, as in real life. So no client's failures count as those of another. */
async function machineOf(owner: Owner, site: OutageSite, name: string, index: number): Promise<Machine> {
  const { address } = await new VirtualAddress(owner, site.edge.address, `127.0.1.${index + 1}`).listen();
  const client = await CLIENTS[name]?.start(owner, site.certificates);
  if (!client) throw new Error(`no client is called ${name}`);
  return { client, address };
}

async function rowOf(owner: Owner, { client, address }: Machine, state: string): Promise<Row> {
  const image = (name: string) => `${address}/library/${name}-${state}:v1`;
  const made = await writeImage(temporaryFolder(owner));
  const pull = await client.tryPull(image('app'));
  const newer = await client.tryPull(image('new'));
  const push = await client.tryPush?.(made.folder, image(`by-${client.name}`));
  return {
    state,
    client: client.name,
    met: { pull: metBy(pull, address), new: metBy(newer, address), push: push && metBy(push, address) },
    said: { pull: pull.output, new: newer.output, ...(push && { push: push.output }) },
  };
}
