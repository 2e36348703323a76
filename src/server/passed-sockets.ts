import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { type AddressInfo, isIP, type Server, SocketAddress } from 'node:net';
import { addressOf, addressText, listenAddress, listenOn } from './bound-address.ts';
import { socketPath } from './unix-socket.ts';

/** The listeners whose sockets a service manager may open, by the names of the keys of `listen`. */
export const PASSED_NAMES = ['https', 'plain', 'http', 'admin'] as const;
export type PassedName = (typeof PASSED_NAMES)[number];

/** File descriptors of open sockets, by their listener. */
export type PassedSockets = Partial<Record<PassedName, number>>;

/** A socket of the service manager that does not fit. The message says what to change. */
export class PassedSocketError extends Error {
  override readonly name = 'PassedSocketError';
}

/** The first file descriptor that a service manager passes: SD_LISTEN_FDS_START of sd_listen_fds(3). */
const FIRST = 3;
/** More descriptors than this are a mistake. */
const MOST = 64;

/**
 * The sockets that systemd opened for this process, as sd_listen_fds_with_names(3) has them.
 * @param pid of this process: variables that are meant for another process are ignored
 * @throws PassedSocketError for a name that no listener has
 */
export function passedSockets(environment: NodeJS.ProcessEnv, pid: number): PassedSockets {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = '' } = environment;
  if (LISTEN_PID !== String(pid) || LISTEN_FDS === undefined) return {};
  const count = /^\d+$/.test(LISTEN_FDS) ? Number(LISTEN_FDS) : Number.NaN;
  if (!(count <= MOST)) throw new PassedSocketError(`LISTEN_FDS is not a number of sockets up to ${MOST}`);
  if (count === 0) return {};
  const names = LISTEN_FDNAMES.split(':');
  if (LISTEN_FDNAMES === '' || names.length !== count)
    throw new PassedSocketError(
      `the service manager passes ${count} sockets, and LISTEN_FDNAMES has ${LISTEN_FDNAMES === '' ? 0 : names.length} names; expected one name for each. ${SET_NAME}`,
    );
  const sockets: PassedSockets = {};
  for (const [index, name] of names.entries()) {
    if (!isPassedName(name))
      throw new PassedSocketError(
        `the service manager passes a socket with the name ${shown(name)}; expected one of ${PASSED_NAMES.join(', ')}. ${SET_NAME}`,
      );
    if (sockets[name] !== undefined)
      throw new PassedSocketError(
        `the service manager passes two sockets with the name ${name}; keep one ListenStream= for it`,
      );
    sockets[name] = FIRST + index;
  }
  return sockets;
}

const SET_NAME = 'Set FileDescriptorName= in the socket unit, one unit for each listener';

/** @throws PassedSocketError for a socket whose listener is not configured */
export function refuseUnused(sockets: PassedSockets, listen: Partial<Record<PassedName, unknown>>): void {
  for (const name of PASSED_NAMES)
    if (sockets[name] !== undefined && listen[name] === undefined)
      throw new PassedSocketError(
        `the service manager passes a socket with the name ${name}, and the configuration has no listen.${name}; add it, or remove the socket unit`,
      );
}

export interface ListenPlace {
  name: PassedName;
  /** `HOST:PORT`, or `unix:/PATH`. */
  address: string;
  /** Of a unix socket. */
  socketMode?: number | undefined;
  /** File descriptor of a socket that is open already. */
  passed?: number | undefined;
}

/**
 * Listens as `listenOn` does, or takes the socket that was passed.
 * @throws PassedSocketError if that socket is not what the configuration has
 */
export async function openListener(
  server: Server,
  place: ListenPlace,
  onError: (error: unknown) => void,
): Promise<AddressInfo> {
  const { address, socketMode, passed } = place;
  if (passed === undefined) return listenOn(server, address, onError, socketMode);
  await takeSocket(server, place, passed);
  server.on('error', onError);
  return addressOf(server);
}

async function takeSocket(server: Server, { name, address }: ListenPlace, fd: number): Promise<void> {
  if (socketPath(address) !== undefined)
    throw new PassedSocketError(
      `listen.${name} is ${address}, which Breakwater opens itself; remove the socket unit of the name ${name}`,
    );
  const expected = await expectedAddresses(address);
  server.listen({ fd });
  const listening = once(server, 'listening').catch((error: Error) => {
    throw new PassedSocketError(
      `the socket with the name ${name} cannot be used (${error.message}); expected a stream socket that listens on ${address}: ListenStream=${address}`,
    );
  });
  // No connection is accepted before the check, because that needs another turn of the event loop.
  const found = server.listening ? addressOf(server) : undefined;
  if (found && !expected.some((one) => isSame(one, found))) {
    // The event never comes after this.
    server.close();
    throw new PassedSocketError(
      `the socket with the name ${name} listens on ${addressText(found)}, and listen.${name} is ${address}; set ListenStream=${address} in the socket unit, or change listen.${name}`,
    );
  }
  await listening;
}

interface Expected {
  address: string;
  /** 0: any. */
  port: number;
}

/** The addresses that a configured one stands for: a name may have several. */
async function expectedAddresses(text: string): Promise<Expected[]> {
  const { host, port } = listenAddress(text);
  const found = isIP(host) ? [host] : (await lookup(host, { all: true })).map(({ address }) => address);
  return found.map((address) => ({ address: canonical(address), port }));
}

function isSame(expected: Expected, found: AddressInfo): boolean {
  return expected.address === canonical(found.address) && (expected.port === 0 || expected.port === found.port);
}

/** One spelling for each address. */
function canonical(address: string): string {
  return isIP(address) === 6 ? new SocketAddress({ address, family: 'ipv6' }).address : address;
}

function isPassedName(name: string): name is PassedName {
  return (PASSED_NAMES as readonly string[]).includes(name);
}

function shown(name: string): string {
  return JSON.stringify(name.replace(/[^\x20-\x7e]/g, '?').slice(0, 64));
}
