import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Cleanup } from '../helpers/cleanup.ts';
import type { Program } from '../helpers/program.ts';
import { until } from '../helpers/until.ts';
import { ADDRESSES, DebianMachine, makeFileSystems } from './debian-machine.ts';
import { pageCommands } from './page-commands.ts';
import { startRegistries } from './registries.ts';

// Runs in namespaces of its own, as the first process there, see quickstart.ts: node follow-page.ts FOLDER RESULT

const HOME = '/root';
/** Says that something is not yet so, and is repeated. */
const REPEATED = /^bin\/breakwater coverage /;
const LONGEST_MS = 90_000;

/** One command of the page, as it went. */
export interface Followed {
  command: string;
  status: number | string;
  /** Milliseconds. */
  took: number;
  output: string;
}

/** What became of the page. */
export interface QuickstartResult {
  followed: Followed[];
  /** Digests of the images that each client has at the end. */
  pulled: Record<string, string>;
  /** The digest of the image that they pulled in the outage. */
  expected: string | undefined;
  /** Lines of the edge's log. */
  log: string;
}

async function follow(cleanup: Cleanup, folder: string): Promise<QuickstartResult> {
  await makeFileSystems(folder);
  const publicCa = join(folder, 'public-ca.crt');
  const env = { ...process.env, HOME, NODE_EXTRA_CA_CERTS: publicCa };
  const machine = new DebianMachine(cleanup, folder, env);
  await machine.connect();
  const { harbor, digests } = await startRegistries(cleanup, { home: HOME, publicCa });
  await machine.startDaemons();
  const followed: Followed[] = [];
  let edge: Program | undefined;
  for (const command of pageCommands()) {
    const began = performance.now();
    const done = () => ({ command, status: 0, took: performance.now() - began, output: '' });
    if (command === 'docker compose pause') {
      await harbor.faults.on('frozen');
      followed.push(done());
    } else if (command.endsWith('&')) {
      const program = machine.start('edge', '/bin/bash', '-c', `exec ${command.slice(0, -1)}`);
      edge = program;
      await until(() => answers(ADDRESSES['cr.example.io'], 443), {
        timeout: 30_000,
        what: () => `the edge; ${program.log()}`,
      });
      followed.push(done());
    } else followed.push(await run(machine, command));
    if (followed.at(-1)?.status !== 0) break;
  }
  return { followed, pulled: await pulledDigests(machine), expected: digests['2'], log: edge?.log() ?? '' };
}

async function run(machine: DebianMachine, command: string): Promise<Followed> {
  const began = performance.now();
  for (;;) {
    const { status, output } = await machine.run(command, LONGEST_MS);
    const took = performance.now() - began;
    if (status === 0 || !REPEATED.test(command) || took > LONGEST_MS) return { command, status, took, output };
  }
}

async function pulledDigests(machine: DebianMachine): Promise<Record<string, string>> {
  const image = 'cr.example.io/library/app:2';
  const questions = {
    docker: `docker image inspect --format '{{index .RepoDigests 0}}' ${image}`,
    containerd: `ctr images list name==${image}`,
    podman: `podman image inspect --format '{{.Digest}}' ${image}`,
  };
  const answered = Object.entries(questions).map(async ([client, command]) => {
    const { output } = await machine.run(command, LONGEST_MS);
    return [client, /sha256:[0-9a-f]{64}/.exec(output)?.[0] ?? output] as const;
  });
  return Object.fromEntries(await Promise.all(answered));
}

async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

const [folder = '', resultFile = ''] = process.argv.slice(2);
const cleanup = new Cleanup();
const result = await follow(cleanup, folder).finally(() => cleanup.run());
writeFileSync(resultFile, JSON.stringify(result));
process.exit(0);
