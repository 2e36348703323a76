import { join } from 'node:path';
import type { Test } from 'tap';
import { type LabClient, labCommands } from '../../../src/cli/lab/lab-commands.ts';
import { LabLog } from '../../../src/cli/lab/lab-log.ts';
import { startLabSite } from '../../../src/cli/lab/lab-site.ts';
import type { Entry } from '../../../src/cli/serve/terminal-log.ts';
import { type Finished, tryCommand } from '../../helpers/command.ts';
import { temporaryFolder } from '../../helpers/temporary-folder.ts';
import { timeLimit } from '../../helpers/time-limit.ts';
import { until } from '../../helpers/until.ts';

/**
 * Starts a lab, and pastes the commands for a client into a shell, one after the other.
 * @param env lets the client use nothing of this machine's own images
 */
export async function pasteCommands(t: Test, client: LabClient, env: NodeJS.ProcessEnv): Promise<void> {
  const entries: Entry[] = [];
  const log = new LabLog((line) => entries.push(JSON.parse(line)));
  const ports = { https: 0, admin: 0, control: 0 };
  const site = await startLabSite({ ports, log, onTaken: () => undefined, onSwitch: () => undefined });
  t.teardown(() => site.stop());
  const commands = labCommands(client, {
    edge: site.app.addresses().https.port,
    control: site.control.port,
    layout: join(temporaryFolder(t), 'layout'),
    bigBlob: site.bigBlob.digest,
  });
  const paste = async (step: number): Promise<Finished> => {
    const lines = commands[step]?.lines.join('\n') ?? '';
    return tryCommand('bash', ['-c', lines], { env: { ...process.env, ...env }, timeout: 60_000 });
  };
  const upstreams = (name: string) =>
    new Set(entries.flatMap(({ request }) => (request?.repository === name ? [request.upstream] : [])));

  t.match(await paste(0), { status: 0 }, 'pull');
  // On a busy machine, reads may be hedged to gcr too.
  t.ok(upstreams('library/hello').has('harbor'), 'from harbor');
  t.match(await paste(1), client === 'curl' ? { output: /^HTTP\/2 202/m } : { status: 0 }, 'push');
  if (client !== 'curl') {
    t.ok(site.registries.harbor.store.manifest('library/mine', 'latest'), 'harbor has it');
    await until(() => site.registries.gcr.store.manifest('example-project/mine', 'latest'));
  }
  const resumed = await paste(2);
  t.equal(resumed.status, 0, resumed.output);
  if (client === 'curl') t.match(resumed.output, site.bigBlob.digest.replace('sha256:', ''), 'its digest is shown');
  const line = await until(() => entries.find(({ request }) => request?.reference === site.bigBlob.digest));
  t.match(line.request?.splices, [{ from: 'harbor', to: 'gcr' }], 'the download resumed on gcr');

  entries.length = 0;
  t.match(await paste(3), client === 'curl' ? { output: /x-breakwater-upstream: gcr/ } : { status: 0 }, 'pull again');
  t.strictSame(upstreams(client === 'curl' ? 'library/hello' : 'library/mine'), new Set(['gcr']));
  const refused = await paste(4);
  t.match(refused.output, /pushes are refused since/, 'push again');
  if (client !== 'curl') t.not(refused.status, 0);
  t.match(await paste(5), { status: 0 }, 'heal');
  await log.until(() => site.app.status().headline.level === 'well', AbortSignal.timeout(timeLimit(30_000)));
  t.match(await paste(1), client === 'curl' ? { output: /^HTTP\/2 202/m } : { status: 0 }, 'push after all');
}
