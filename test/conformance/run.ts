import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeCertificate } from '../helpers/certificate.ts';
import { Cleanup } from '../helpers/cleanup.ts';
import { tryCommand } from '../helpers/command.ts';
import { type Edge, startEdge } from '../helpers/edge.ts';
import { startRegistry } from '../helpers/registry.ts';
import { temporaryFolder } from '../helpers/temporary-folder.ts';
import { compareReports, type Difference, figuresOf, type Report, readReport } from './report.ts';

const USAGE = `Runs the conformance tool of the OCI distribution-spec against a registry, and against the same registry behind an edge,
over HTTP/1.1 and HTTP/2, and compares them test by test. Exit status 1: a test is worse through the edge.

  npm run conformance -- TOOL                                                  docker-registry of Debian
  npm run conformance -- TOOL --upstream https://127.0.0.1:5000 --ca ca.crt   a registry that runs already
  npm run conformance -- TOOL --verbose                                        also tests that fail both ways, with other words

TOOL is the program that "go build" makes in the folder conformance/ of a checkout of github.com/opencontainers/distribution-spec.
`;

/** A Go program takes HTTP/2 where it is offered, unless this is said. */
const PROTOCOLS = { 'HTTP/1.1': 'http2client=0', 'HTTP/2': '' } as const;
const LONGEST_MS = 600_000;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      upstream: { type: 'string' },
      ca: { type: 'string' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [tool] = positionals;
  if (values.help || tool === undefined || (values.upstream === undefined) !== (values.ca === undefined)) {
    (values.help ? process.stdout : process.stderr).write(USAGE);
    if (!values.help) process.exitCode = 2;
    return;
  }
  const cleanup = new Cleanup();
  await compare(cleanup, { tool: resolve(tool), ...values }).finally(() => cleanup.run());
}

interface Asked {
  tool: string;
  upstream?: string | undefined;
  ca?: string | undefined;
  verbose: boolean;
}

async function compare(owner: Cleanup, { tool, upstream, ca, verbose }: Asked): Promise<void> {
  const certificate = await writeCertificate(owner);
  const own = join(certificate.authorityFolder, 'ca.crt');
  const url = upstream ?? (await startRegistry(owner, { tls: certificate })).url;
  const caFile = ca === undefined ? own : resolve(ca);
  const edge = await startEdge(owner, {
    tls: { certFile: certificate.certFile, keyFile: certificate.keyFile },
    upstreams: { registry: { urls: [url], caFile, probe: { allowEmpty: true } } },
    routes: [{ prefix: '', push: 'registry', pull: [{ upstream: 'registry' }] }],
  });
  await edge.waitFor(({ upstreams }) => upstreams.every(({ state, pushes }) => state === 'up' && pushes?.admitted));
  for (const [protocol, godebug] of Object.entries(PROTOCOLS)) {
    const ask = (way: string, address: string, authority: string) =>
      reportOf(owner, tool, {
        address,
        authority,
        godebug,
        repository: `conformance/${way}-${protocol.replace(/\W/g, '')}`,
      });
    const direct = await ask('direct', new URL(url).host, caFile);
    const through = await ask('edge', edge.address, own);
    checkProtocol(edge, protocol);
    tell(protocol, direct, through, verbose);
  }
}

/** The names of repositories are other ones each time, so that no run meets what another one left. */
async function reportOf(
  owner: Cleanup,
  tool: string,
  { address, authority, godebug, repository }: Record<'address' | 'authority' | 'godebug' | 'repository', string>,
): Promise<Report> {
  const folder = temporaryFolder(owner);
  const unique = `${repository.toLowerCase()}${Date.now().toString(36)}`;
  const { output } = await tryCommand(tool, [], {
    cwd: folder,
    timeout: LONGEST_MS,
    env: {
      ...{ PATH: process.env.PATH, HOME: folder, SSL_CERT_FILE: authority, GODEBUG: godebug },
      ...{ OCI_REGISTRY: address, OCI_TLS: 'enabled', OCI_RESULTS_DIR: folder, OCI_LOG: 'error' },
      ...{ OCI_REPO1: `${unique}-one`, OCI_REPO2: `${unique}-two` },
    },
  });
  try {
    return readReport(readFileSync(join(folder, 'junit.xml'), 'utf8'));
  } catch (error) {
    throw new Error(`${tool} against ${address} left no report:\n${output}`, { cause: error });
  }
}

/** The log tells the protocol of each request: a comparison over the wrong one would say nothing. */
function checkProtocol(edge: Edge, protocol: string): void {
  const spoken = [...edge.log().matchAll(/"protocol":"(HTTP\/[\d.]+)"/g)].at(-1)?.[1];
  if (!spoken?.startsWith(protocol)) throw new Error(`the tool spoke ${spoken} and not ${protocol}`);
}

function tell(protocol: string, direct: Report, edge: Report, verbose: boolean): void {
  const differences = compareReports(direct, edge);
  process.stdout.write(`${protocol}, direct:           ${figuresOf(direct)}\n`);
  process.stdout.write(`${protocol}, through the edge: ${figuresOf(edge)}\n`);
  for (const one of differences) if (verbose || one.kind !== 'same') show(one);
  const count = (kind: Difference['kind']) => differences.filter((one) => one.kind === kind).length;
  const told = `${count('same')} fail both ways, with other words${verbose ? '' : ' (--verbose shows them)'}`;
  process.stdout.write(
    `${protocol}: ${count('worse')} worse through the edge, ${count('better')} better, ${count('intended')} otherwise by intent, ${told}\n\n`,
  );
  if (count('worse') > 0) process.exitCode = 1;
}

function show({ kind, name, direct, edge }: Difference): void {
  const onlyIn = (one: readonly string[], other: readonly string[]) => one.filter((line) => !other.includes(line));
  process.stdout.write(`${kind}: ${name}\n`);
  for (const line of new Set(onlyIn(direct, edge))) process.stdout.write(`  direct: ${line}\n`);
  for (const line of new Set(onlyIn(edge, direct))) process.stdout.write(`  edge:   ${line}\n`);
}

await main();
