import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { tryCommand } from '../../test/helpers/command.ts';
import { findTool } from '../../test/helpers/tool.ts';

/** The machine of the measurement, one line for each fact. */
export async function describeMachine(): Promise<string[]> {
  const processors = cpus();
  const { version }: { version: string } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  );
  return [
    `${processors.length} cores (${processors[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GiB of memory, ${process.platform} ${process.arch}`,
    `Breakwater ${version} at ${await versionOf('git', ['rev-parse', '--short=12', 'HEAD'], /\w+/)}`,
    `Node ${process.version}`,
    `nginx ${await versionOf('nginx', ['-v'], /nginx\/(\S+)/)}`,
    `HAProxy ${await versionOf('haproxy', ['-v'], /version (\S+)/)}, Caddy ${await versionOf('caddy', ['version'], /\S+/)}`,
    `docker-registry ${await versionOf('docker-registry', ['--version'], /\s(\d\S+)/)}`,
    `wrk ${await versionOf('wrk', ['-v'], /wrk (\S+)/)}, curl ${await versionOf('curl', ['--version'], /curl (\S+)/)}`,
  ];
}

async function versionOf(name: string, args: string[], pattern: RegExp): Promise<string> {
  const program = findTool(name);
  if (program === undefined) return 'missing';
  // wrk prints its version and ends with status 1.
  const { output } = await tryCommand(program, args);
  const found = pattern.exec(output);
  return found?.[1] ?? found?.[0] ?? 'of an unknown version';
}
