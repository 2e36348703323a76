import { findTool } from './tool.ts';

/**
 * How a test starts another program: killed by the kernel if the test itself is killed, and without NODE_OPTIONS, by
 * which tap loads its hooks into every Node below it, whatever environment it was given.
 */
export function commandLine(file: string, args: readonly string[]): [string, string[]] {
  const setpriv = findTool('setpriv');
  const line = ['env', '-u', 'NODE_OPTIONS', file, ...args];
  return setpriv ? [setpriv, ['--pdeathsig', 'KILL', '--', ...line]] : ['env', line.slice(1)];
}
