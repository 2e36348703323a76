import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { FILE_KINDS, type FileKind, kindOfPath } from '../../clients/lint/file-kind.ts';
import type { Finding } from '../../clients/lint/finding.ts';
import { kindOfSource, lintFiles, type SourceFile } from '../../clients/lint/lint.ts';
import type { Versions } from '../../clients/lint/program-version.ts';
import { inspectFile } from '../../config/load.ts';
import { nearest } from '../../config/nearest.ts';
import { configPath, hasConfig, UsageError } from '../config-path.ts';
import { decoded, MAX_FILE_BYTES, readText, reasonOf, tooLarge } from './lint-read.ts';
import { findingsText } from './lint-text.ts';
import { givenVersions, installedVersions } from './lint-versions.ts';
import { walkTree } from './lint-walk.ts';

export interface LintClientOptions {
  config?: string | undefined;
  hostname?: string | undefined;
  /** PROGRAM=VERSION each. */
  versions: readonly string[];
  kind?: string | undefined;
  file?: string | undefined;
  json?: boolean | undefined;
}

/** What was read. */
interface Material {
  sources: SourceFile[];
  findings: Finding[];
  notes: string[];
  versions: Versions;
  exists: (path: string) => boolean | undefined;
}

/** `breakwater client --lint PATH`. @returns whether there are findings @throws UsageError */
export async function lintClient(path: string, options: LintClientOptions): Promise<boolean> {
  const given = givenVersions(options.versions);
  const kind = kindOption(options.kind);
  const { edges, upstreamHosts } = await edgeNames(options);
  const material = await read(path, kind, options.file);
  const { sources, exists } = material;
  const versions = { ...material.versions, ...given };
  const found = lintFiles(sources, { edges, upstreamHosts, versions, exists, now: Date.now() });
  const findings = [...material.findings, ...found].sort((a, b) => (a.file < b.file ? -1 : Number(a.file > b.file)));
  const notes = [...material.notes];
  if (edges.length === 0)
    notes.push('The name of the edge is not known, so that nothing says whether pulls go through it. Give --hostname.');
  if (options.json) {
    const files = sources.map((source) => ({ path: source.path, kind: source.kind }));
    process.stdout.write(`${JSON.stringify({ files, versions, edges, notes, findings }, null, 2)}\n`);
  } else {
    process.stdout.write(findingsText(findings, sources));
    for (const note of notes) process.stderr.write(`note: ${note}\n`);
  }
  return findings.length > 0;
}

function kindOption(name: string | undefined): FileKind | undefined {
  if (name === undefined) return undefined;
  const kinds = Object.keys(FILE_KINDS) as FileKind[];
  const kind = kinds.find((one) => one === name);
  if (kind) return kind;
  const similar = nearest(name, kinds);
  const hint = similar === undefined ? '' : ` Did you mean ${similar}?`;
  throw new UsageError(`--kind ${JSON.stringify(name)} is not known; known are ${kinds.join(', ')}.${hint}`);
}

/** Names of the edge and hosts of its upstreams, as far as options and a configuration tell them. */
async function edgeNames({ config: given, hostname }: LintClientOptions) {
  if (hostname !== undefined && !/^[a-z0-9.[\]:_-]+$/i.test(hostname))
    throw new UsageError(`--hostname ${JSON.stringify(hostname)} is no host: expected HOST or HOST:PORT`);
  const own = hostname === undefined ? [] : [hostname.toLowerCase()];
  // A configuration in the working directory is not asked for if the name was given.
  if (given === undefined && (hostname !== undefined || !hasConfig(given))) return { edges: own, upstreamHosts: [] };
  const path = configPath(given);
  const { config } = await inspectFile(path);
  if (!config) throw new UsageError(`${path} has errors: run breakwater check, or name the edge with --hostname`);
  const port = /:(\d+)$/.exec(config.listen.https ?? '')?.[1];
  const names =
    port === undefined || port === '443' ? [config.hostname] : [`${config.hostname}:${port}`, config.hostname];
  const upstreamHosts = Object.values(config.upstreams).flatMap(({ urls }) => urls.map((url) => new URL(url).host));
  return { edges: [...own, ...names], upstreamHosts };
}

async function read(path: string, kind: FileKind | undefined, file: string | undefined): Promise<Material> {
  if (path === '-') return oneFile(await fromStandardInput(kind, file));
  if (file !== undefined) throw new UsageError('--file says what standard input is; use it with --lint -');
  const found = await stat(path).catch((error: unknown) => {
    throw new UsageError(`${path} cannot be checked: ${reasonOf(error)}`);
  });
  if (!found.isDirectory()) return oneFile(await fromFile(path, kind));
  if (kind) throw new UsageError('--kind says what one file is; it does not go with a folder');
  const { isSystem, ...tree } = await walkTree(path);
  if (tree.sources.length === 0 && tree.findings.length === 0)
    throw new UsageError(`below ${path} is no file of a program that is known. Name a folder such as /etc, or a file.`);
  const versions = isSystem ? await installedVersions(resolve(path)) : {};
  // k3s and microk8s bring a containerd of their own.
  if (tree.sources.some((source) => /\/(rancher|microk8s)\//.test(source.path))) delete versions.containerd;
  return { ...tree, versions };
}

function oneFile(read: { source: SourceFile } | { finding: Finding }): Material {
  const sources = 'source' in read ? [read.source] : [];
  const findings = 'finding' in read ? [read.finding] : [];
  return { sources, findings, notes: [], versions: {}, exists: () => undefined };
}

async function fromFile(path: string, kind: FileKind | undefined) {
  const whole = resolve(path);
  const named = kind ?? kindOfPath(whole) ?? kindOfPath(`/${basename(whole)}`);
  const read = await readText(whole, named);
  return 'finding' in read ? read : { source: { path: whole, text: read.text, kind: known(whole, read.text, named) } };
}

async function fromStandardInput(kind: FileKind | undefined, file: string | undefined) {
  const path = file === undefined ? '/standard-input' : resolve('/', file);
  const named = kind ?? kindOfPath(path);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_FILE_BYTES) return { finding: tooLarge(path) };
  }
  const read = decoded(path, Buffer.concat(chunks), named);
  return 'finding' in read ? read : { source: { path, text: read.text, kind: known(path, read.text, named) } };
}

function known(path: string, text: string, named: FileKind | undefined): FileKind {
  const kind = named ?? kindOfSource({ path, text });
  if (kind) return kind;
  const kinds = Object.entries(FILE_KINDS).map(([name, { says }]) => `  ${name}  ${says}`);
  throw new UsageError(`it is not known what ${path} is. Say it with --kind:\n${kinds.join('\n')}`);
}
