import { type Command, InvalidArgumentError } from 'commander';
import type { LabOptions } from './lab-session.ts';

export function registerLab(program: Command): void {
  program
    .command('lab')
    .description(
      'Try Breakwater out: two registries in memory, the edge in front of them, and switches that break them.',
    )
    .option('--port <port>', 'port of the edge (https); 0: any', port, 5443)
    .option('--admin-port <port>', 'port of its admin listener; 0: any', port, 9443)
    .option('--control-port <port>', 'port of the fault switches; 0: any', port, 9444)
    .option('--tour', 'show in a minute what happens in an outage, and stop; exit status 1 if a step fails')
    .option('--json', 'print logs and addresses as JSON lines')
    .action(async (options: LabOptions) => {
      // Only here: an edge in production need not carry the lab, and what makes its certificates, in its memory.
      const { LabSession } = await import('./lab-session.ts');
      await new LabSession(options).run();
    });
}

function port(text: string): number {
  const value = Number(text);
  if (/^\d{1,5}$/.test(text) && value <= 65_535) return value;
  throw new InvalidArgumentError('a port is a number from 0 to 65535.');
}
