import type { Server, Socket } from 'node:net';

// What Linux can do with a socket and Node has no call for, by the functions of the C library. Elsewhere, and before `node:ffi`, there is none
// of it: callers go on without.

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
const SO_DETACH_FILTER = 27;
const SIOCOUTQ = 0x5411n;

/** The function of the C library, and its library, which must not be collected. */
interface Calls {
  setsockopt(fd: number, level: number, name: number, value: Buffer, length: number): number;
  ioctl(fd: number, request: bigint, value: Buffer): number;
}

type Handle = { _handle?: { fd?: number } | null };

/**
 * A program of classic BPF (socket(7), SO_ATTACH_FILTER): byte 13 of the TCP header has the flags. A packet with SYN is dropped, all others
 * are taken. Each instruction: code, jump if true, jump if false, operand.
 */
const DROP_SYN: readonly (readonly [number, number, number, number])[] = [
  [0x30, 0, 0, 13],
  [0x45, 0, 1, 0x02],
  [0x06, 0, 0, 0],
  [0x06, 0, 0, 0xffff_ffff],
];

let calls: Calls | null | undefined;
/** The kernel copies the program when it is attached. */
let program: Buffer | undefined;

/**
 * Makes the kernel ignore new connections to a listener, as if their first packet were lost: a client repeats it after a second, and nobody is
 * refused. Handshakes of TCP that have begun are completed.
 * @returns false: that cannot be done here, and nothing has changed
 */
export function ignoreNewConnections(server: Server, ignored: boolean): boolean {
  const fd = descriptorOf(server);
  const found = systemCalls();
  if (!found || fd === undefined) return false;
  if (!ignored) {
    // It fails if there is no filter.
    found.setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, Buffer.alloc(4), 4);
    return true;
  }
  const filter = filterProgram();
  return filter !== undefined && found.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, filter.length) === 0;
}

/** Bytes of a TCP connection that its client has not acknowledged (tcp(7), SIOCOUTQ). Undefined: the system does not tell. */
export function unacknowledgedBytes(socket: Socket): number | undefined {
  const fd = descriptorOf(socket);
  const found = systemCalls();
  if (!found || fd === undefined) return undefined;
  const value = Buffer.alloc(4);
  return found.ioctl(fd, SIOCOUTQ, value) === 0 ? value.readInt32LE(0) : undefined;
}

/** A TLS socket has that of its TCP socket. Undefined: it is closed. */
export function descriptorOf(socket: Server | Socket): number | undefined {
  const fd = (socket as Handle)._handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}

function systemCalls(): Calls | null {
  calls ??= findCalls();
  return calls;
}

function findCalls(): Calls | null {
  if (process.platform !== 'linux') return null;
  const ffi = process.getBuiltinModule('node:ffi') as typeof import('node:ffi') | undefined;
  try {
    const found = ffi?.dlopen(null, {
      setsockopt: { arguments: ['int32', 'int32', 'int32', 'pointer', 'uint32'], return: 'int32' },
      ioctl: { arguments: ['int32', 'uint64', 'pointer'], return: 'int32' },
    });
    return (found?.functions as unknown as Calls | undefined) ?? null;
  } catch {
    return null;
  }
}

/** `struct sock_fprog`: the number of instructions, and a pointer to them. */
function filterProgram(): Buffer | undefined {
  const ffi = process.getBuiltinModule('node:ffi') as typeof import('node:ffi') | undefined;
  if (!ffi) return undefined;
  if (!program) {
    program = Buffer.alloc(8 * DROP_SYN.length);
    for (const [index, [code, yes, no, operand]] of DROP_SYN.entries()) {
      program.writeUInt16LE(code, 8 * index);
      program.writeUInt8(yes, 8 * index + 2);
      program.writeUInt8(no, 8 * index + 3);
      program.writeUInt32LE(operand, 8 * index + 4);
    }
  }
  const filter = Buffer.alloc(16);
  filter.writeUInt16LE(DROP_SYN.length, 0);
  filter.writeBigUInt64LE(BigInt(ffi.getRawPointer(program)), 8);
  return filter;
}
