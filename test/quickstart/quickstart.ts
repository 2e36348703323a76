import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tryCommand } from '../helpers/command.ts';
import { type Owner, temporaryFolder } from '../helpers/temporary-folder.ts';
import { missing, tool } from '../helpers/tool.ts';
import type { QuickstartResult } from './follow-page.ts';

/** Programs that the page, or its machine, needs. */
const TOOLS = [
  ...['docker', 'dockerd', 'containerd', 'ctr', 'podman', 'runc', 'docker-registry', 'skopeo'],
  ...['unshare', 'nsenter', 'ip', 'mount', 'bash'],
];
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
const LONGEST_MS = 600_000;

/** Why the page cannot be followed here; false: it can. */
export async function obstacle(): Promise<string | false> {
  const absent = missing(...TOOLS);
  if (absent) return absent;
  const { status } = await tryCommand(tool('unshare'), [...NAMESPACES, 'true']);
  return status !== 0 && 'namespaces cannot be made here';
}

/** Follows the page on a clean machine of its own, which is gone at the end with all its processes. */
export async function followQuickstart(owner: Owner): Promise<QuickstartResult> {
  const folder = temporaryFolder(owner);
  const [machine, result] = [join(folder, 'machine'), join(folder, 'result.json')];
  mkdirSync(machine);
  const program = join(import.meta.dirname, 'follow-page.ts');
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', program, machine, result];
  const { status, output } = await tryCommand(tool('unshare'), [...NAMESPACES, ...node], { timeout: LONGEST_MS });
  if (!existsSync(result)) throw new Error(`the page was not followed: ${status}\n${output}`);
  return JSON.parse(readFileSync(result, 'utf8'));
}
