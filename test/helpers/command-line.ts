import { findTool } from './tool.ts';

/** How a test starts another program: killed by the kernel if the test itself is killed. */
export function commandLine(file: string, args: readonly string[]): [string, string[]] {
  const setpriv = findTool('setpriv');
  return setpriv ? [setpriv, ['--pdeathsig', 'KILL', '--', file, ...args]] : [file, [...args]];
}
