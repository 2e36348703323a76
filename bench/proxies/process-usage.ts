import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** CPU seconds, user and kernel, of a process and its children with all their threads. */
export function cpuSeconds(pid: number): number {
  return sum(processesOf(pid).map(cpuSecondsOf));
}

/** Peak resident memory since `resetPeak`, in MB of 10^6 bytes, of a process and its children. */
export function peakMegabytes(pid: number): number {
  return sum(processesOf(pid).map((one) => statusOf(one, 'VmHWM')));
}

/** Resident memory now, in MB of 10^6 bytes, of a process and its children. */
export function residentMegabytes(pid: number): number {
  return sum(processesOf(pid).map((one) => statusOf(one, 'VmRSS')));
}

/** Resets the peak to the memory that is resident now; false where the kernel does not permit it. */
export function resetPeak(pid: number): boolean {
  try {
    for (const one of processesOf(pid)) writeFileSync(`/proc/${one}/clear_refs`, '5');
    return true;
  } catch {
    return false;
  }
}

/** proc(5): utime and stime. */
function cpuSecondsOf(pid: number): number {
  const fields = fieldsOf(pid);
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** A size from proc(5), status, in MB of 10^6 bytes. */
function statusOf(pid: number, name: 'VmHWM' | 'VmRSS'): number {
  const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kibibytes) * 1024) / 1e6;
}

/** The process and its descendants, because a proxy may have workers. */
function processesOf(root: number): number[] {
  const parents = new Map(
    readdirSync('/proc')
      .filter(isNumber)
      .map((pid) => [Number(pid), parentOf(Number(pid))]),
  );
  const below = (pid: number): number[] => [
    pid,
    ...[...parents].filter(([, parent]) => parent === pid).flatMap(([child]) => below(child)),
  ];
  return below(root);
}

/** Undefined for a process that has just ended. */
function parentOf(pid: number): number | undefined {
  try {
    return Number(fieldsOf(pid)[1]);
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Fields of /proc/PID/stat from the third on. The second is the program's name in parentheses, which may contain spaces. */
function fieldsOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function isNumber(name: string): boolean {
  return /^\d+$/.test(name);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
