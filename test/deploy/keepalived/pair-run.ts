import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tryCommand } from '../../helpers/command.ts';
import { type Owner, temporaryFolder } from '../../helpers/temporary-folder.ts';
import { missing, tool } from '../../helpers/tool.ts';
import type { Row } from './event.ts';
import { ADDRESSES, NAMESPACES } from './network.ts';

const TOOLS = ['docker-registry', 'skopeo', 'keepalived', 'unshare', 'nsenter', 'ip', 'curl', 'useradd'];
const LONGEST_MS = 300_000;

/** Why no pair can be run here; false: it can. */
export async function obstacle(): Promise<string | false> {
  const absent = missing(...TOOLS);
  if (absent) return absent;
  const { status } = await tryCommand(tool('unshare'), [...NAMESPACES, 'true']);
  return status !== 0 && 'namespaces cannot be made here';
}

/** Runs events on a pair in namespaces of its own, which are gone at the end with all that ran there. */
export async function runEvents(owner: Owner, keys: readonly string[]): Promise<{ rows: Row[]; output: string }> {
  const folder = temporaryFolder(owner);
  const [machine, result] = [join(folder, 'machine'), join(folder, 'result.json')];
  mkdirSync(machine);
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'inside.ts')];
  // bash is the first process there: it collects those whose parents were killed.
  // It measures times, so it goes before other tests of this machine.
  const line = [
    '-n',
    '-5',
    tool('unshare'),
    ...NAMESPACES,
    'bash',
    '-c',
    '"$@" & wait $!',
    'bash',
    ...node,
    machine,
    result,
    ...keys,
  ];
  const env = { ...process.env, TEST_ADDRESS: ADDRESSES.primary };
  const { status, output } = await tryCommand('nice', line, { env, timeout: LONGEST_MS });
  if (status !== 0 || !existsSync(result)) throw new Error(`the events were not run: ${status}\n${output}`);
  return { rows: JSON.parse(readFileSync(result, 'utf8')), output };
}
