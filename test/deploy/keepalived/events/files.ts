import { chmodSync, copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../../helpers/markdown.ts';
import type { PairEvent, Row } from '../event.ts';
import type { PairNode } from '../node.ts';
import type { Pair } from '../pair.ts';

const FOLDER = '/etc/keepalived';
const CHECK = `${FOLDER}/breakwater-vip-check`;
const CONFIGURATION = `${FOLDER}/keepalived.conf`;

/** What is wrong with the files of a node, and what breakwater-pair-check must say of it, after the file and a line. */
const MISTAKES: readonly { what: string; make: () => void; says: RegExp }[] = [
  { what: 'no check', make: () => rmSync(CHECK), says: /keepalived\.conf:\d+: .*vip-check is missing.*copy it/ },
  {
    what: 'a check that its user may not run',
    make: () => chmodSync(CHECK, 0o700),
    says: /:\d+: keepalived_script may not run .*chmod 755/,
  },
  {
    what: 'a check that all may change',
    make: () => chmodSync(CHECK, 0o777),
    says: /:\d+: others than root can change .*chmod 755/,
  },
  {
    what: 'another interface',
    make: () => edit('INTERFACE=eth0', 'INTERFACE=eth7'),
    says: /:\d+: this node has no interface eth7/,
  },
  {
    what: 'another address',
    make: () => edit('OWN_ADDRESS=10.77.0.1', 'OWN_ADDRESS=10.77.0.8'),
    says: /:\d+: eth0 does not have 10\.77\.0\.8/,
  },
  { what: 'another host name', make: () => edit('@edge-a', '@edge-x'), says: /:\d+: no line begins with @edge-a/ },
  {
    what: 'a user that is not there',
    make: () => edit('script_user keepalived_script', 'script_user nemo'),
    says: /:\d+: there is no user nemo.*useradd/,
  },
  {
    what: 'no folder of the leave file',
    make: () => edit('file /run/breakwater/leave', 'file /run/nowhere/leave'),
    says: /:\d+: the folder of \/run\/nowhere\/leave is missing/,
  },
  { what: 'no user', make: () => edit('script_user keepalived_script', ''), says: /script_user is missing.*add:/ },
  {
    what: 'a keyword that keepalived does not know',
    make: () => edit('nopreempt\n', 'nopremt\n'),
    says: /keepalived says: .*Line \d+\) Unknown keyword/,
  },
];

function edit(from: string, to: string): void {
  writeFileSync(CONFIGURATION, readFileSync(CONFIGURATION, 'utf8').replaceAll(from, to));
}

export const filesEvents: PairEvent[] = [{ key: 'files', group: 'files', run: runFiles }];

/** No row of the table: what a node whose files are wrong says. */
async function runFiles(pair: Pair): Promise<Row[]> {
  const node = pair.nodes.a;
  const [text, path] = [readFileSync(CONFIGURATION, 'utf8'), join(root, 'deploy/keepalived/breakwater-vip-check')];
  const good = await node.run(`${FOLDER}/breakwater-pair-check`);
  const checks: Row['checks'] = [
    { what: `good files: ${good.output}`, ok: good.status === 0 && /VIP is 10\.77\.0\.9/.test(good.output) },
  ];
  for (const { what, make, says } of MISTAKES) {
    make();
    const { status, output } = await node.run(`${FOLDER}/breakwater-pair-check`);
    checks.push({ what: `${what}: ${output}`, ok: status === 1 && says.test(output) });
    copyFileSync(path, CHECK);
    chmodSync(CHECK, 0o755);
    writeFileSync(CONFIGURATION, text);
  }
  checks.push(...(await checkAnswers(pair, node)));
  return [{ event: '', must: '', measured: '', checks }];
}

/** What the check and the notify script say of an edge in each state. */
async function checkAnswers(pair: Pair, node: PairNode): Promise<Row['checks']> {
  const checks: Row['checks'] = [];
  const look = async (what: string, status: number, says: RegExp, ...args: string[]) => {
    const { output, status: ended } = await node.run(CHECK, ...args);
    checks.push({ what: `${what}: ${ended} ${output}`, ok: ended === status && says.test(output) });
  };
  await look('a well edge', 0, /^$/);
  await look('a wrong argument', 2, /expected the value of listen\.admin/, 'unix:/run/x');
  node.edge.signal('SIGSTOP');
  await look('a frozen edge', 1, /gave no answer twice within/);
  node.edge.signal('SIGCONT');
  await pair.well();
  await node.edge.kill();
  await look('a killed edge', 1, /nothing listens on 127\.0\.0\.1:9443/);
  const told = await node.run(
    `${FOLDER}/breakwater-vip-notify`,
    '127.0.0.1:9443',
    'INSTANCE',
    'breakwater',
    'FAULT',
    '250',
  );
  checks.push({ what: `notify: ${told.output}`, ok: /cannot hold the VIP: nothing listens on/.test(told.output) });
  await node.startEdge();
  await pair.well();
  return checks;
}
