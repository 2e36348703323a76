import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installedClient, type LabCommand, labCommands } from './lab-commands.ts';
import type { LabSite } from './lab-site.ts';

/** Commands for another terminal, for the client that is installed here. */
export function commandsFor({ app, control, bigBlob }: LabSite): LabCommand[] {
  return labCommands(installedClient(), {
    edge: app.addresses().https.port,
    control: control.port,
    layout: join(tmpdir(), 'breakwater-lab'),
    bigBlob: bigBlob.digest,
  });
}

/** What a person sees first. @param beside whether other commands find this lab by themselves */
export function greetingText(site: LabSite, beside: boolean): string {
  const { https, admin } = site.app.addresses();
  const { harbor, gcr } = site.registries;
  const option = beside ? '' : ` --admin http://localhost:${admin.port}`;
  return [
    '',
    `Breakwater serves https://localhost:${https.port} with two registries in memory:`,
    `  harbor  primary, for pulls and pushes  ${harbor.url}`,
    `  gcr     fallback, for pulls            ${gcr.url}`,
    `Status page: http://localhost:${admin.port}/`,
    '',
    'Type "tour" to be shown in a minute what happens when harbor freezes.',
    'Or paste these lines, one by one, into another terminal:',
    ...commandsFor(site).flatMap(({ says, lines }) => ['', `  ${says}`, ...lines.map((line) => `    ${line}`)]),
    '',
    `Beside the lab, these commands work too: breakwater status${option}, explain, coverage.`,
    'Type "help" for all faults, "quit" to end.',
    '',
  ].join('\n');
}
