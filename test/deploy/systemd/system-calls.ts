import { readFileSync } from 'node:fs';
import { command } from '../../helpers/command.ts';
import { tool } from '../../helpers/tool.ts';

/** The system calls that the SystemCallFilter= lines of a unit allow, by the sets of this machine's systemd. */
export async function allowedCalls(unit: string): Promise<Set<string>> {
  const sets = await callSets();
  const expand = (name: string): string[] => (name.startsWith('@') ? (sets.get(name) ?? []).flatMap(expand) : [name]);
  const allowed = new Set<string>();
  for (const [, not, names = ''] of readFileSync(unit, 'utf8').matchAll(/^SystemCallFilter=(~?)(.*)$/gm))
    for (const call of names.split(' ').flatMap(expand)) {
      if (not) allowed.delete(call);
      else allowed.add(call);
    }
  return allowed;
}

async function callSets(): Promise<Map<string, string[]>> {
  const { stdout } = await command(tool('systemd-analyze'), ['syscall-filter', '--no-pager']);
  const sets = new Map<string, string[]>();
  let members: string[] = [];
  for (const line of stdout.split('\n')) {
    if (line.startsWith('@')) {
      members = [];
      sets.set(line.trim(), members);
    } else if (/^ +[@a-z_]/.test(line)) members.push(line.trim());
  }
  return sets;
}

/** The names of the calls in a trace of `strace -f -o`. */
export function tracedCalls(trace: string): Set<string> {
  return new Set([...readFileSync(trace, 'latin1').matchAll(/^\d+ +([a-z_0-9]+)\(/gm)].map(([, call]) => call ?? ''));
}
