import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Below those that the kernel gives to connections, which could take a port before the program listens on it. */
const [LOWEST, HIGHEST] = [20_000, 32_000];

/** A file for each port that a process has asked for: another one could take it before the program listens, or while it is started again. */
const TAKEN = join(tmpdir(), 'breakwater-ports');
const own = new Set<string>();

/** Ports of 127.0.0.1 that are free, for programs that cannot choose their own. No other process gets them while this one runs. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(LOWEST, HIGHEST);
    if (take(port) && (await isFree(port))) ports.push(port);
  }
  return ports;
}

/** @returns false: another process, or this one, has it already */
function take(port: number): boolean {
  mkdirSync(TAKEN, { recursive: true });
  const file = join(TAKEN, String(port));
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // What a process that was killed has left is removed, for the next one that asks.
    if (!isRunning(file)) rmSync(file, { force: true });
    return false;
  }
  if (own.size === 0)
    process.once('exit', () => {
      for (const one of own) rmSync(one, { force: true });
    });
  own.add(file);
  return true;
}

function isRunning(file: string): boolean {
  try {
    process.kill(Number(readFileSync(file, 'utf8')) || process.pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    return false;
  } finally {
    server.close();
  }
}

/** Whether a server accepts connections on a port of 127.0.0.1. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const settle = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}
